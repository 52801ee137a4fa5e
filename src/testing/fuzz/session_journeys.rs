use arbitrary::{Arbitrary, Unstructured};

use crate::testing::journey::Journey;

/// Two ends of a session over a hostile way, whatever is done at them: payloads come in order and at most once, nothing
/// grows, and when the way is whole all that was not given up comes.
///
/// # Panics
/// When one of these does not hold.
pub fn session_journeys(data: &[u8]) {
    let Ok(journey) = Journey::arbitrary(&mut Unstructured::new(data)) else { return };
    if let Err(what) = journey.check() {
        panic!("{what}\n{journey:?}");
    }
}
