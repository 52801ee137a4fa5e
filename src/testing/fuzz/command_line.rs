use crate::command_sets::{CommandSet, Dictionary, Search, Sum, Timer};
use crate::commands::{Command, Event, Scanner};

/// Any bytes as an input: nothing panics, the events do not depend on the cuts, and what parses prints and parses again.
///
/// The first byte is the size of the pieces.
///
/// # Panics
/// When one of these does not hold.
pub fn command_line(data: &[u8]) {
    let Some((size, input)) = data.split_first() else { return };
    let size = usize::from(*size).max(1);
    check::<Sum>(input, size);
    check::<Dictionary>(input, size);
    check::<Timer>(input, size);
    check::<Search>(input, size);
}

fn scan<'a, C: CommandSet>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event<C>> {
    let (mut scanner, mut events) = (Scanner::default(), Vec::new());
    for mut piece in pieces {
        events.extend(std::iter::from_fn(|| scanner.next(&mut piece)));
        assert!(piece.is_empty());
    }
    events.extend(std::iter::from_fn(|| scanner.finish()));
    events
}

/// Feeds the reader of a set with lines in pieces of one size. A reader is not used any more after an error.
fn read<C: CommandSet>(input: &[u8], size: usize) -> String {
    let (mut reader, mut items) = (C::reader(), Vec::new());
    let mut lines = input.split(|byte| *byte == b'\n').peekable();
    let mut end = Ok(());
    while let (Some(line), Ok(())) = (lines.next(), &end) {
        end = line.chunks(size).try_for_each(|piece| reader.feed(piece, &mut items));
        end = end.and_then(|()| reader.end_line(lines.peek().is_none(), &mut items));
    }
    format!("{items:?} {end:?}")
}

fn check<C: CommandSet>(input: &[u8], size: usize) {
    assert_eq!(scan::<C>([input]), scan::<C>(input.chunks(size)));
    assert_eq!(read::<C>(input, usize::MAX), read::<C>(input, size));
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(command) = text.parse::<Command<C>>() else { return };
    let again = command.to_string().parse::<Command<C>>().expect("what was printed parses");
    match (&command, &again) {
        (Command::Exec { id, request: Err(_) }, Command::Exec { id: same, request: Err(_) }) => assert_eq!(id, same),
        _ => assert_eq!(command, again),
    }
}
