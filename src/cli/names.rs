//! Arguments that are one of a few names: known to the completion of a shell, and with a hint when one is almost right.

use std::ffi::OsStr;
use std::fmt::Display;
use std::str::FromStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use nodetree::modes::did_you_mean;

/// Reads one of `all` by its name.
#[derive(Clone, Copy)]
pub struct Names<T: 'static>(&'static [T]);

/// Reads one of `all` by its name.
pub fn names<T>(all: &'static [T]) -> Names<T> {
    Names(all)
}

impl<T: Clone + Display + FromStr<Err: Display> + Send + Sync> TypedValueParser for Names<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        text.parse().map_err(|what: T::Err| {
            let known: Vec<_> = self.0.iter().map(ToString::to_string).collect();
            let hint = did_you_mean(&text, known.iter().map(String::as_str)).unwrap_or_default();
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let what = format!("invalid value '{text}' for '{name}': {what}{hint}\n");
            clap::Error::raw(ErrorKind::ValueValidation, what).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|value| PossibleValue::new(value.to_string()))))
    }
}
