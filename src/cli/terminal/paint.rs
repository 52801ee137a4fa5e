//! Colours, where they are wanted.

use std::borrow::Cow;

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

impl Paint {
    /// What is said beside.
    pub fn dim(self, text: &str) -> Cow<'_, str> {
        self.with(DIM, text)
    }

    /// An error, or a node that is down.
    pub fn red(self, text: &str) -> Cow<'_, str> {
        self.with(RED, text)
    }

    /// Good news.
    pub fn green(self, text: &str) -> Cow<'_, str> {
        self.with(GREEN, text)
    }

    /// A line of the drawing of a tree: a node that is down is red, what is missing is dim. The text stays the same.
    pub fn drawn(self, line: &str) -> Cow<'_, str> {
        let Some(at) = line.find(|c: char| !"│├└─ ".contains(c)).filter(|_| self.0) else { return line.into() };
        let (branch, node) = line.split_at(at);
        let painted = match node {
            "(none)" => self.dim(node),
            _ if node.contains("(-) down") => self.red(node),
            _ => node.into(),
        };
        format!("{}{painted}", if branch.is_empty() { "".into() } else { self.dim(branch) }).into()
    }

    fn with<'t>(self, code: &str, text: &'t str) -> Cow<'t, str> {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m").into() } else { text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_without_its_colours_is_the_same() {
        for line in ["-1", "├── 7 (1000)", "│   └── -8 (-) down", "    ├── (none)", "└── 9 (-) down depth 70"]
        {
            let painted = Paint(true).drawn(line).into_owned();
            let plain =
                ["\x1b[2m", "\x1b[31m", "\x1b[0m"].iter().fold(painted.clone(), |it, code| it.replace(code, ""));
            assert_eq!(plain, line);
            assert_eq!(painted.contains("\x1b[31m"), line.contains("down"));
            assert_eq!(Paint(false).drawn(line), line);
        }
    }
}
