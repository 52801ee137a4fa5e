//! Which node this process is, as it was called or was told later.

use std::ffi::{CString, OsStr};
use std::sync::OnceLock;

use super::hello::{NODE_ARGUMENT, SPARE};
use crate::topology::NodeId;

/// Which node this process is, once it was told.
static TOLD: OnceLock<NodeId> = OnceLock::new();

/// Whether this process was started to be a node.
///
/// ```
/// assert!(!nodetree::modes::process::is_node());
/// ```
pub fn is_node() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == NODE_ARGUMENT)
}

/// Which node this process was started to be; none in any other process, nor in a spare one that is not a node yet. Its
/// log can name it from the beginning.
///
/// ```
/// assert_eq!(nodetree::modes::process::node_id(), None);
/// ```
pub fn node_id() -> Option<NodeId> {
    let called = || if is_node() { std::env::args_os().nth(2)?.to_str()?.parse().ok() } else { None };
    TOLD.get().copied().or_else(called)
}

/// It was called so.
pub(super) fn is_called(id: &OsStr) {
    let name = if id == SPARE { "spare node".to_owned() } else { format!("node {}", id.display()) };
    show(name);
}

/// It is this node.
pub(super) fn is_told(id: NodeId) {
    if node_id().is_none() {
        show(format!("node {id}"));
    }
    let _ = TOLD.set(id);
}

/// The name in `/proc/<pid>/comm`, which `ps` and `top` show; the words that it was called with stay what they are.
fn show(name: String) {
    if let Ok(name) = CString::new(name) {
        let _ = rustix::thread::set_name(&name);
    }
}
