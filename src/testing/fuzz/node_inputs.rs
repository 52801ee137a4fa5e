use arbitrary::{Arbitrary, Result, Unstructured};

use super::books::{Books, LINKS_MAX};
use super::envelopes::{envelope, key};
use crate::actors::message::{ControlDown, Envelope, LinkId, MILLISECOND, NodeKey, NodeSpec, Role};
use crate::actors::{ComputingNode, NodeEffect, NodeInput};
use crate::command_sets::{Dictionary, executor};
use crate::topology::{NodeId, Slot};

/// The most things that happen to a node.
const HAPPENINGS_MAX: usize = 64;

/// A node that asks to be woken at once has come to rest after so many times.
const TURNS_MAX: usize = 2_000;

/// Who the node is.
const KEY: NodeKey = NodeKey { id: 1, incarnation: 1 };

/// What happens to a node. Links are counted from 1 in the order in which they are made; one that is not there may be
/// named, too.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// An envelope comes over a link.
    Envelope(u8, Envelope),
    /// A link ends.
    Closed(u8),
    /// There is one more link, to a child or to a parent, and it is used or kept.
    Link(Role, bool),
    /// Some links are used from now on, and one not any more.
    Switch {
        /// Those that are used.
        activate: Vec<u8>,
        /// The one that is not.
        retire: Option<u8>,
        /// A child that has another place.
        place: Option<(NodeId, Slot)>,
    },
    /// Is the node there?
    Ask(u64),
    /// A marker is wanted.
    Drain {
        /// The number of the re-link.
        epoch: u64,
        /// On which link.
        link: u8,
        /// Whether it visits the links below.
        through: bool,
    },
    /// A link is closed.
    Unlink(u8),
    /// Beats are wanted, so many milliseconds apart.
    Beat(u16),
    /// Milliseconds pass.
    Pass(u16),
}

/// Whatever happens to a node, it does nothing that a node may not do: see [`check_happenings`].
///
/// # Panics
/// When it does.
pub fn node_inputs(data: &[u8]) {
    let (mut input, mut happenings) = (Unstructured::new(data), Vec::new());
    while !input.is_empty() && happenings.len() < HAPPENINGS_MAX {
        // What the input does not say is as if nothing had come.
        let Ok(happening) = input.arbitrary() else { break };
        happenings.push(happening);
    }
    if let Err(what) = check_happenings(&happenings) {
        panic!("{what}\n{happenings:?}");
    }
}

/// Has all this happen to node 1 of incarnation 1, which has a parent and the children 2 and 3 at its links 1, 2 and 3.
///
/// It must not speak for another node, nor over a link that is closed, not yet or not any more used, or the wrong way;
/// not take what is for another life of its id; not answer what was not asked; and it must come to rest.
///
/// # Errors
/// What it has done that it may not.
///
/// ```
/// use nodetree::testing::fuzz::{Happening, check_happenings};
/// assert_eq!(check_happenings(&[Happening::Closed(2), Happening::Ask(7)]), Ok(()));
/// ```
pub fn check_happenings(happenings: &[Happening]) -> std::result::Result<(), String> {
    let spec = NodeSpec { key: KEY, beat_period_ns: 0 };
    let mut trial =
        Trial { node: ComputingNode::new(0, &spec, executor::<Dictionary>()), books: Books::new(KEY), now: 0 };
    let child = |id| Role::Child { key: NodeKey { id, incarnation: 1 }, slot: Slot::Any };
    for role in [Role::Parent, child(2), child(3)] {
        trial.happens(&Happening::Link(role, true))?;
    }
    happenings.iter().try_for_each(|happening| trial.happens(happening))
}

struct Trial {
    node: ComputingNode,
    books: Books,
    now: u64,
}

impl Trial {
    fn happens(&mut self, happening: &Happening) -> std::result::Result<(), String> {
        let link = |number: u8| LinkId(u64::from(number));
        let links = |numbers: &[u8]| numbers.iter().map(|&number| link(number)).collect();
        let input = match happening {
            Happening::Envelope(number, envelope) => NodeInput::Envelope(link(*number), envelope.clone()),
            Happening::Closed(number) => NodeInput::Closed(link(*number)),
            Happening::Link(role, active) => match self.books.next_link() {
                Some(link) => NodeInput::Control(ControlDown::Link { link, role: *role, active: *active }),
                None => return Ok(()),
            },
            Happening::Switch { activate, retire, place } => NodeInput::Control(ControlDown::Switch {
                epoch: 9,
                activate: links(activate),
                retire: links(retire.as_slice()),
                places: place.iter().copied().collect(),
            }),
            Happening::Ask(epoch) => NodeInput::Control(ControlDown::Ask { epoch: *epoch }),
            Happening::Drain { epoch, link: number, through } => {
                NodeInput::Control(ControlDown::Drain { epoch: *epoch, link: link(*number), through: *through })
            }
            Happening::Unlink(number) => NodeInput::Control(ControlDown::Unlink { links: vec![link(*number)] }),
            Happening::Beat(ms) => NodeInput::Control(ControlDown::Beat { period_ns: u64::from(*ms) * MILLISECOND }),
            Happening::Pass(ms) => {
                self.now += u64::from(*ms) * MILLISECOND;
                NodeInput::Wake
            }
        };
        self.books.comes(&input);
        self.node.handle(self.now, input);
        self.perform()
    }

    /// Looks at what the node does, and gives it its turns until it rests.
    fn perform(&mut self) -> std::result::Result<(), String> {
        for _ in 0..TURNS_MAX {
            let effects = self.node.take_effects();
            self.books.check(&effects)?;
            let mut next = None;
            for effect in effects {
                match effect {
                    NodeEffect::WakeAt(at) if at <= self.now => next = Some(NodeInput::Wake),
                    NodeEffect::Long(job) => next = Some(NodeInput::LongDone(job.run(self.now))),
                    _ => {}
                }
            }
            let Some(input) = next else { return Ok(()) };
            self.books.comes(&input);
            self.node.handle(self.now, input);
        }
        Err("it does not come to rest".to_owned())
    }
}

impl<'a> Arbitrary<'a> for Happening {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match input.int_in_range(0..=15)? {
            0 => Self::Closed(link(input)?),
            1 => {
                let slot = *input.choose(&[Slot::Any, Slot::Left, Slot::Right])?;
                let role = if input.ratio(1, 3)? { Role::Parent } else { Role::Child { key: key(input)?, slot } };
                Self::Link(role, input.arbitrary()?)
            }
            2 => {
                let activate = (0..input.int_in_range(0..=2)?).map(|_| link(input)).collect::<Result<_>>()?;
                let retire = if input.arbitrary()? { Some(link(input)?) } else { None };
                let place = if input.ratio(1, 4)? { Some((key(input)?.id, Slot::Right)) } else { None };
                Self::Switch { activate, retire, place }
            }
            3 => Self::Ask(input.arbitrary()?),
            4 => Self::Drain { epoch: input.int_in_range(0..=3)?, link: link(input)?, through: input.arbitrary()? },
            5 => Self::Unlink(link(input)?),
            6 => Self::Beat(input.int_in_range(0..=100)?),
            7 => Self::Pass(input.int_in_range(0..=10_000)?),
            _ => Self::Envelope(link(input)?, envelope(input)?),
        })
    }
}

/// Mostly one of those that are there from the beginning.
fn link(input: &mut Unstructured) -> Result<u8> {
    if input.ratio(3, 4)? { input.int_in_range(1..=3) } else { input.int_in_range(0..=LINKS_MAX) }
}
