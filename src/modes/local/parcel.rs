//! What an in-process mode carries.

use crate::actors::message::{Nanos, NodeKey};
use crate::actors::{ControlMail, End, Frame, FromNode, LinkFrame, NodeMail};

/// What is carried to somebody.
pub(in crate::modes) enum Parcel {
    Frame(Frame),
    ToNode(NodeKey, NodeMail),
    ToControl(ControlMail),
    FromNode(FromNode),
    /// These have ended together.
    Deaths(Vec<NodeKey>),
    /// A packet for the session of a link's end.
    Packet(End, LinkFrame),
    /// An end of a link that repeats wants a turn; it was asked for at this time.
    EndDue(End, Nanos),
    /// Something that has waited until a slow node came to it.
    Late(Box<Parcel>),
}

impl Parcel {
    /// The moment has come for which a node, or the control node, has asked.
    pub(in crate::modes) fn wake(who: NodeKey) -> Self {
        match who {
            NodeKey::CONTROL => Self::ToControl(ControlMail::Wake),
            node => Self::ToNode(node, NodeMail::Wake),
        }
    }
}
