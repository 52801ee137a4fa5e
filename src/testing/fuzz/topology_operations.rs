use arbitrary::{Arbitrary, Unstructured};

use crate::topology::model::{Operation, check_operations};
use crate::topology::{NodeId, TopologyKind};

/// Comparing looks at everything after each operation, which is slow for many nodes.
const OPERATIONS_MAX: usize = 200;

/// Any operations on any topology: the real one must do what the plain model does.
///
/// # Panics
/// When it does not.
pub fn topology_operations(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(kind) = TopologyKind::arbitrary(&mut input) else { return };
    let Ok(operations) = Vec::<Operation>::arbitrary_take_rest(input) else { return };
    let operations: Vec<_> = operations.into_iter().take(OPERATIONS_MAX).map(with_near_ids).collect();
    if let Err(difference) = check_operations(kind, &operations) {
        panic!("{difference}\n{operations:?}");
    }
}

/// Most ids come from a few, so that operations meet; the others, the extremes among them, stay as they are.
fn near(id: NodeId) -> NodeId {
    if (-1_000_000..1_000_000).contains(&id) || id % 4 != 0 { id.rem_euclid(12) - 2 } else { id }
}

fn with_near_ids(operation: Operation) -> Operation {
    match operation {
        Operation::Create { id, parent } => Operation::Create { id: near(id), parent: parent.map(near) },
        Operation::Remove { id } => Operation::Remove { id: near(id) },
        Operation::Again { id, parent } => Operation::Again { id: near(id), parent: parent.map(near) },
    }
}
