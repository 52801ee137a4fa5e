use std::fmt::Write;

use super::{CONTROL, NodeId, Slot, Topology};

/// The last level that is indented further than the one above it.
const LEVELS_INDENTED: usize = 64;

impl Topology {
    /// The drawing of the command `tree`: one node a line, no line end behind the last.
    ///
    /// The first line is `-1`. The others show their branch, then what `label` says of the node.
    /// Children are drawn in the order of [`children`](Self::children), with `(none)` for a missing left
    /// one beside a right one. From level 65 on a line is indented like level 64 and says its depth.
    /// The time is linear in the length of the drawing.
    ///
    /// ```
    /// use nodetree::topology::{Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Tree);
    /// for (id, parent) in [(10, None), (12, Some(10)), (20, None)] {
    ///     tree.insert(id, &tree.place(id, parent)?);
    /// }
    /// let drawing = tree.draw(|id| format!("{id} ({})", id + 1000));
    /// assert_eq!(drawing, "-1\n├── 10 (1010)\n│   └── 12 (1012)\n└── 20 (1020)");
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn draw(&self, mut label: impl FnMut(NodeId) -> String) -> String {
        let mut drawing = CONTROL.to_string();
        let mut is_last = Vec::new();
        let mut branches = Vec::new();
        self.push_branches(CONTROL, 1, &mut branches);
        while let Some(branch) = branches.pop() {
            is_last.truncate(branch.level - 1);
            is_last.push(branch.is_last);
            let text = branch.node.map_or_else(|| "(none)".to_owned(), &mut label);
            draw_line(&mut drawing, &is_last, &text);
            if let Some(node) = branch.node {
                self.push_branches(node, branch.level + 1, &mut branches);
            }
        }
        drawing
    }

    /// Puts what is drawn below `parent` on the stack, so that the first comes off first.
    fn push_branches(&self, parent: NodeId, level: usize, branches: &mut Vec<Branch>) {
        let mut is_last = true;
        for (_, node) in self.children(parent).rev() {
            branches.push(Branch { node: Some(node), level, is_last });
            is_last = false;
        }
        if self.child_in(parent, Slot::Right).is_some() && self.child_in(parent, Slot::Left).is_none() {
            branches.push(Branch { node: None, level, is_last: false });
        }
    }
}

/// A line that is still to be drawn.
struct Branch {
    /// `None` for a missing left child.
    node: Option<NodeId>,
    level: usize,
    is_last: bool,
}

/// `is_last` says of the node, and of each one above it, whether it is the last child of its parent.
fn draw_line(drawing: &mut String, is_last: &[bool], text: &str) {
    let level = is_last.len();
    drawing.push('\n');
    for is_last in &is_last[..level.min(LEVELS_INDENTED) - 1] {
        drawing.push_str(if *is_last { "    " } else { "│   " });
    }
    drawing.push_str(if is_last[level - 1] { "└── " } else { "├── " });
    drawing.push_str(text);
    if level > LEVELS_INDENTED {
        // Writing to a String does not fail.
        let _ = write!(drawing, " depth {level}");
    }
}
