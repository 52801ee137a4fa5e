//! A command set behind bytes: what a node holds, so that nodes, links and modes need not know its types.

use serde::{Serialize, de::DeserializeOwned};

use super::{CommandSet, Progress, RequestError, Turn};

/// A [`CommandSet`] whose requests and results are bytes (postcard). One message of a request comes in with each call,
/// and the messages of the result go out through `outputs`.
pub trait Executor: Send {
    /// See [`CommandSet::begin`].
    ///
    /// # Errors
    /// As there, and when the bytes are no head of this set.
    fn begin(&mut self, now_ns: u64, head: &[u8], outputs: &mut Vec<Vec<u8>>) -> Result<(), RequestError>;
    /// See [`CommandSet::part`].
    ///
    /// # Errors
    /// As there, and when the bytes are no part of this set.
    fn part(&mut self, now_ns: u64, part: &[u8], outputs: &mut Vec<Vec<u8>>) -> Result<(), RequestError>;
    /// See [`CommandSet::finish`].
    ///
    /// # Errors
    /// As there.
    fn finish(&mut self, now_ns: u64, outputs: &mut Vec<Vec<u8>>) -> Result<Progress, RequestError>;
    /// See [`CommandSet::cancel`].
    fn cancel(&mut self);
    /// See [`CommandSet::long_ns`].
    fn long_ns(&self) -> Option<u64>;
    /// The same state once more. One that cannot be copied says so to whoever asks it for something.
    #[cfg(feature = "testing")]
    fn copied(&self) -> Box<dyn Executor> {
        Box::new(CannotBeCopied)
    }
    /// The state as bytes: two with the same bytes do the same from then on.
    #[cfg(feature = "testing")]
    fn state(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[cfg(feature = "testing")]
impl Clone for Box<dyn Executor> {
    fn clone(&self) -> Self {
        self.copied()
    }
}

#[cfg(feature = "testing")]
struct CannotBeCopied;

#[cfg(feature = "testing")]
impl Executor for CannotBeCopied {
    fn begin(&mut self, _: u64, _: &[u8], _: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        Err(RequestError::new("the state of this command set cannot be copied"))
    }

    fn part(&mut self, _: u64, _: &[u8], _: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        Ok(())
    }

    fn finish(&mut self, _: u64, _: &mut Vec<Vec<u8>>) -> Result<Progress, RequestError> {
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {}

    fn long_ns(&self) -> Option<u64> {
        None
    }
}

/// The state of a new node of the set `C`, behind bytes.
///
/// ```
/// use nodetree::command_sets::{Dictionary, Progress, dictionary::Found, executor};
/// let mut node = executor::<Dictionary>();
/// let (head, mut outputs) = (postcard::to_stdvec(&Dictionary::load("x").head)?, Vec::new());
/// assert_eq!(node.begin(0, &head, &mut outputs), Ok(()));
/// assert_eq!(node.finish(0, &mut outputs), Ok(Progress::Done));
/// assert_eq!(postcard::from_bytes::<Found>(&outputs[0])?, Found::Nothing("x".into()));
/// # Ok::<(), postcard::Error>(())
/// ```
pub fn executor<C: CommandSet>() -> Box<dyn Executor> {
    Box::new(Encoded(C::default()))
}

struct Encoded<C>(C);

impl<C: CommandSet> Encoded<C> {
    /// Bytes of another kind end the request, as any other error does.
    fn decode<T: DeserializeOwned>(&mut self, bytes: &[u8]) -> Result<T, RequestError> {
        postcard::from_bytes(bytes).map_err(|error| {
            self.0.cancel();
            RequestError::new(format_args!("request of another kind: {error}"))
        })
    }
}

impl<C: CommandSet> Executor for Encoded<C> {
    fn begin(&mut self, now_ns: u64, head: &[u8], outputs: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        let head = self.decode(head)?;
        in_turn(now_ns, outputs, |turn| self.0.begin(head, turn))
    }

    fn part(&mut self, now_ns: u64, part: &[u8], outputs: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        let part = self.decode(part)?;
        in_turn(now_ns, outputs, |turn| self.0.part(part, turn))
    }

    fn finish(&mut self, now_ns: u64, outputs: &mut Vec<Vec<u8>>) -> Result<Progress, RequestError> {
        in_turn(now_ns, outputs, |turn| self.0.finish(turn))
    }

    fn cancel(&mut self) {
        self.0.cancel();
    }

    fn long_ns(&self) -> Option<u64> {
        self.0.long_ns()
    }
}

fn in_turn<O: Serialize, T>(
    now_ns: u64,
    outputs: &mut Vec<Vec<u8>>,
    call: impl FnOnce(&mut Turn<O>) -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    let mut turn = Turn { now_ns, outputs: Vec::new() };
    let result = call(&mut turn)?;
    for output in &turn.outputs {
        outputs.push(postcard::to_stdvec(output).map_err(RequestError::new)?);
    }
    Ok(result)
}
