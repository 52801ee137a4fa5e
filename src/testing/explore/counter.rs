//! The command set of an exploration: each request leaves its number behind.

use crate::command_sets::{Executor, Progress, RequestError};

/// Its state is the numbers of the requests that took effect, in order. A request is two bytes: its number, and whether
/// it is a right one.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    done: Vec<u8>,
    under_way: Option<u8>,
}

impl Executor for Counter {
    fn begin(&mut self, _: u64, head: &[u8], _: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        match head {
            [number, 1] => {
                self.under_way = Some(*number);
                Ok(())
            }
            _ => Err(RequestError::new("wrong")),
        }
    }

    fn part(&mut self, _: u64, _: &[u8], _: &mut Vec<Vec<u8>>) -> Result<(), RequestError> {
        Ok(())
    }

    fn finish(&mut self, _: u64, outputs: &mut Vec<Vec<u8>>) -> Result<Progress, RequestError> {
        self.done.extend(self.under_way.take());
        outputs.push(vec![self.done.len() as u8]);
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {
        self.under_way = None;
    }

    fn long_ns(&self) -> Option<u64> {
        None
    }

    fn copied(&self) -> Box<dyn Executor> {
        Box::new(self.clone())
    }

    /// What has begun comes behind the number 255, which no request has.
    fn state(&self) -> Vec<u8> {
        let under_way = self.under_way.map(|number| [u8::MAX, number]);
        self.done.iter().copied().chain(under_way.into_iter().flatten()).collect()
    }
}
