//! What the command sets do: each against a naive model, and their readers against every way to cut a text.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use nodetree::actors::message::SEGMENT_BYTES;
use nodetree::command_sets::dictionary::Found;
use nodetree::command_sets::search::{MAX_CHARS, PART_CHARS, PART_POSITIONS, Positions, STEPS_PER_TURN};
use nodetree::command_sets::sum::{Count, MAX_COUNT, Numbers, PART_NUMBERS};
use nodetree::command_sets::timer::{Press, Reading};
use nodetree::command_sets::{
    CommandSet, CommandSetKind, Dictionary, NoStream, Progress, Request, RequestError, Search, StreamItem, Sum,
    TextReader, Timer, Turn, executor, read_whole,
};
use nodetree::commands::{Command, ExecResult};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Runs a request on a node; says the result, and how often `finish` was called.
fn run<C: CommandSet>(node: &mut C, now_ns: u64, request: Request<C>) -> Result<(Vec<C::Output>, usize), RequestError> {
    let mut turn = Turn { now_ns, outputs: Vec::new() };
    node.begin(request.head, &mut turn)?;
    for part in request.parts {
        node.part(part, &mut turn)?;
    }
    let mut calls = 1;
    while node.finish(&mut turn)? == Progress::More {
        calls += 1;
    }
    Ok((turn.outputs, calls))
}

/// The text that is printed for a request given as text.
fn text<C: CommandSet>(node: &mut C, now_ns: u64, request: &str) -> Result<String, RequestError> {
    let (outputs, _) = run(node, now_ns, C::parse(request)?)?;
    Ok(ExecResult::<C>::of(outputs).to_string())
}

/// Reads lines in pieces that end at the cuts; what came before an error, and the error.
fn read_in_pieces<C: CommandSet>(lines: &[&[u8]], cuts: &[usize]) -> (Vec<StreamItem<C>>, Option<RequestError>) {
    let (mut reader, mut items) = (C::reader(), Vec::new());
    for (nth, line) in lines.iter().enumerate() {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (line.len() + 1)).collect();
        cuts.extend([0, line.len()]);
        cuts.sort_unstable();
        let fed = cuts.windows(2).try_for_each(|cut| reader.feed(&line[cut[0]..cut[1]], &mut items));
        let ended = fed.and_then(|()| reader.end_line(nth + 1 == lines.len(), &mut items));
        if let Err(error) = ended {
            return (items, Some(error));
        }
    }
    (items, None)
}

fn naive_positions(text: &str, pattern: &str) -> Vec<u64> {
    let windows = text.as_bytes().windows(pattern.len());
    windows.enumerate().filter(|(_, window)| *window == pattern.as_bytes()).map(|(at, _)| at as u64).collect()
}

fn searched(text: &str, pattern: &str) -> (Vec<u64>, usize) {
    let request = Search::request(text, pattern).unwrap();
    let (outputs, calls) = run(&mut Search::default(), 0, request).unwrap();
    let nowhere = outputs == [Positions::Nowhere];
    let found: Vec<u64> = outputs
        .into_iter()
        .flat_map(|part| match part {
            Positions::At(positions) => {
                assert!((1..=PART_POSITIONS).contains(&positions.len()));
                positions
            }
            Positions::Nowhere => Vec::new(),
        })
        .collect();
    assert_eq!(nowhere, found.is_empty());
    (found, calls)
}

proptest! {
    #[test]
    fn dictionary_is_a_map(asked in prop::collection::vec(("[ab]{1,2}", prop::option::of(any::<i64>())), 0..60)) {
        let (mut node, mut model) = (Dictionary::default(), BTreeMap::new());
        for (name, value) in asked {
            let expected = match value {
                Some(value) => {
                    model.insert(name.clone(), value);
                    String::new()
                }
                None => model.get(&name).map_or(format!("'{name}' not found"), i64::to_string),
            };
            let request = value.map_or(name.clone(), |value| format!("{name} {value}"));
            prop_assert_eq!(text(&mut node, 0, &request), Ok(expected));
        }
    }

    #[test]
    fn timer_is_a_stopwatch(steps in prop::collection::vec((0..3usize, 0..5_000_000u64), 0..40)) {
        let (mut node, mut now_ns) = (Timer::default(), 7u64);
        let (mut since, mut frozen) = (None, 0);
        for (press, later_ns) in steps {
            now_ns += later_ns;
            let elapsed = since.map_or(frozen, |since| now_ns - since);
            let expected = match Press::ALL[press] {
                Press::Start => { since = Some(now_ns); Reading::Set }
                Press::Stop => { (since, frozen) = (None, elapsed); Reading::Set }
                Press::Time => Reading::Milliseconds(elapsed / 1_000_000),
            };
            let outputs = run(&mut node, now_ns, Timer::press(Press::ALL[press])).unwrap().0;
            prop_assert_eq!(outputs, [expected]);
        }
    }

    #[test]
    fn sum_is_exact(numbers in prop::collection::vec(any::<i64>(), 1..200)) {
        let total: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
        let request = Sum::request(&numbers);
        let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
        prop_assert_eq!(Sum::parse(&format!("{} {}", numbers.len(), words.join(" "))), Ok(request.clone()));
        prop_assert_eq!(run(&mut Sum::default(), 0, request).unwrap().0, [total]);
    }

    #[test]
    fn sum_reads_words_as_the_standard_library_does(
        words in prop::collection::vec("-?0{0,3}[0-9]{0,20}|[-+x0-9]{1,9}", 1..8), blanks in "[ \t]{1,9}"
    ) {
        let line = format!("{}{blanks}{}{blanks}", words.len(), words.join(&blanks));
        let model: Option<Vec<i64>> = words.iter().map(|word| match word.as_bytes() {
            [b'+', ..] => None,
            _ => word.parse().ok(),
        }).collect();
        // An empty word is no word: then there are too few.
        let read = Sum::parse(&line).ok();
        prop_assert_eq!(read, model.map(|numbers| Sum::request(&numbers)));
    }

    #[test]
    fn sum_reads_the_same_however_it_is_cut(
        line in prop_oneof!["[0-9 \t-]{0,60}", "5( -?[0-9]{1,12}){5,5} ?", "2 [0-9a\u{e9} ]{0,20}"],
        cuts in prop::collection::vec(0..80usize, 0..20),
    ) {
        let whole = read_in_pieces::<Sum>(&[line.as_bytes()], &[]);
        let every_byte: Vec<usize> = (0..line.len()).collect();
        prop_assert_eq!(&read_in_pieces::<Sum>(&[line.as_bytes()], &cuts), &whole);
        prop_assert_eq!(&read_in_pieces::<Sum>(&[line.as_bytes()], &every_byte), &whole);
        let request = whole.1.map_or_else(|| Request::from_items(whole.0), Err);
        prop_assert_eq!(Sum::parse(&line), request);
    }

    #[test]
    fn search_finds_what_a_naive_one_finds(text in "[ab]{1,300}", pattern in "[ab]{1,12}") {
        prop_assert_eq!(searched(&text, &pattern).0, naive_positions(&text, &pattern));
    }

    #[test]
    fn search_finds_periodic_patterns(
        unit in "[abc]{1,4}", times in 1..40usize, more in 1..6usize, tail in "[abc]{0,3}",
    ) {
        let (text, pattern) = (unit.repeat(times * more) + &tail, unit.repeat(times));
        prop_assert_eq!(searched(&text, &pattern).0, naive_positions(&text, &pattern));
    }

    /// Matches far from each other, near each other, and over the ends of the blocks in which the text is held.
    #[test]
    fn search_finds_what_is_far_apart(
        pattern in prop_oneof!["[ab]{1,6}", "[a-z]{1,40}", "(ab){1,300}", "a{500}b"],
        gaps in prop::collection::vec(prop_oneof![0..3usize, 40..200usize, 65_400..65_700usize], 1..6),
        filling in "[abx]",
    ) {
        let text: String = gaps.into_iter().map(|gap| filling.repeat(gap) + &pattern).collect();
        // Nearly one, at the end of all.
        let text = text + &pattern[..pattern.len() - 1] + "Z";
        prop_assert_eq!(searched(&text, &pattern).0, naive_positions(&text, &pattern));
    }

    #[test]
    fn search_reads_the_same_however_it_is_cut(
        lines in prop::array::uniform2(prop_oneof!["[a-c]{0,40}", "[a-z \u{e9}#]{0,9}"]),
        cuts in prop::collection::vec(0..80usize, 0..9),
    ) {
        let lines = [lines[0].as_bytes(), lines[1].as_bytes()];
        prop_assert_eq!(read_in_pieces::<Search>(&lines, &cuts), read_in_pieces::<Search>(&lines, &[]));
    }

    #[test]
    fn bytes_of_any_kind_are_no_panic(
        calls in prop::collection::vec((0..4u8, prop::collection::vec(any::<u8>(), 0..24)), 0..12),
    ) {
        for mut node in [executor::<Sum>(), executor::<Dictionary>(), executor::<Timer>(), executor::<Search>()] {
            let mut outputs = Vec::new();
            for (call, bytes) in &calls {
                let _ = match call {
                    0 => node.begin(0, bytes, &mut outputs),
                    1 => node.part(0, bytes, &mut outputs),
                    2 => node.finish(0, &mut outputs).map(drop),
                    _ => { node.cancel(); Ok(()) }
                };
            }
        }
    }
}

#[test]
fn parts_are_cut_at_fixed_sizes() {
    let numbers: Vec<i64> = (0..3 * PART_NUMBERS as i64).map(|n| n * 1_000_003 - 5).collect();
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    let line = format!("{} {}", numbers.len(), words.join(" "));
    let (text, pattern) = ("ab".repeat(PART_CHARS), "b".repeat(PART_CHARS));
    for piece in [1, 13, 4096, 65_536] {
        let cuts = |length: usize| (0..length).step_by(piece).collect::<Vec<_>>();
        let (items, error) = read_in_pieces::<Sum>(&[line.as_bytes()], &cuts(line.len()));
        assert_eq!((Request::from_items(items), error), (Ok(Sum::request(&numbers)), None));
        let (items, error) = read_in_pieces::<Search>(&[text.as_bytes(), pattern.as_bytes()], &cuts(text.len()));
        assert_eq!(items.len(), 1 + 2 + 1);
        assert_eq!((Request::from_items(items), error), (Search::request(&text, &pattern), None));
    }
}

#[test]
fn parts_are_small_when_encoded() {
    // One segment; two where the numbers are large.
    for (number, segments) in [(i32::MIN.into(), 1), (i64::MIN, 2)] {
        let sum = Sum::request(&[number; PART_NUMBERS]);
        assert!(postcard::to_stdvec(&sum.parts[0]).unwrap().len() <= segments * SEGMENT_BYTES);
    }
    let search = Search::request(&"x".repeat(PART_CHARS), "x").unwrap();
    assert!(postcard::to_stdvec(&search.parts[0]).unwrap().len() <= 48 * 1024 + 8);
    let found = Positions::At(vec![MAX_CHARS as u64; PART_POSITIONS]);
    assert!(postcard::to_stdvec(&found).unwrap().len() <= 48 * 1024);
}

#[test]
fn wrong_requests() {
    fn check<C: CommandSet>(cases: &[(&str, &str)]) {
        for (request, expected) in cases {
            assert_eq!(text(&mut C::default(), 0, request).unwrap_err().to_string(), *expected, "{request:?}");
        }
    }
    check::<Sum>(&[
        ("", "n must be an integer from 1 to 100000000"),
        ("0", "n must be an integer from 1 to 100000000"),
        ("-1 5", "n must be an integer from 1 to 100000000"),
        ("100000001 5", "n must be an integer from 1 to 100000000"),
        ("99999999999999999999999 5", "n must be an integer from 1 to 100000000"),
        ("x 5", "n must be an integer from 1 to 100000000"),
        ("3 1 2", "expected 3 numbers behind n, found 2"),
        ("1", "expected 1 numbers behind n, found 0"),
        ("2 1 2 3", "expected 2 numbers behind n, found more"),
        ("2 1 2 x", "expected 2 numbers behind n, found more"),
        ("2 1 2x", "k2 must be an integer from -9223372036854775808 to 9223372036854775807"),
        ("2 +1 2", "k1 must be an integer from -9223372036854775808 to 9223372036854775807"),
        ("1 9223372036854775808", "k1 must be an integer from -9223372036854775808 to 9223372036854775807"),
        ("1 -", "k1 must be an integer from -9223372036854775808 to 9223372036854775807"),
        ("1 5\n", "expected 1 lines behind exec id"),
    ]);
    check::<Dictionary>(&[
        ("", "expected name [value]"),
        ("x 5 6", "expected name [value]"),
        ("bad-name 5", "name must be letters and digits, not bad-name"),
        ("n\u{e9} 5", "name must be letters and digits, not n\\u{e9}"),
        ("x 1.5", "value must be an integer from -9223372036854775808 to 9223372036854775807, not 1.5"),
    ]);
    check::<Timer>(&[
        ("", "expected start, stop or time"),
        ("Start", "expected start, stop or time, not Start"),
        ("start now", "expected start, stop or time"),
    ]);
    check::<Search>(&[
        ("", "expected 2 lines behind exec id"),
        ("a\nb\nc", "expected 2 lines behind exec id"),
        ("\nb", "text must not be empty"),
        ("a\n", "pattern must not be empty"),
        ("ab c\nb", "text must be letters and digits, character 3 is not"),
        ("abc\n#b", "pattern must be letters and digits, character 1 is not"),
    ]);
}

#[test]
fn requests_that_no_reader_makes_are_refused_and_change_nothing() {
    let mut node = Dictionary::default();
    assert_eq!(text(&mut node, 0, "x 5").unwrap(), "");
    assert!(run(&mut node, 0, Dictionary::save("a b", 1)).is_err());
    assert_eq!(run(&mut node, 0, Dictionary::load("x")).unwrap().0, [Found::Value(5)]);
    assert!(run(&mut Sum::default(), 0, Sum::request(&[])).is_err());
    assert!(
        run(&mut Sum::default(), 0, Request { head: Count { count: 2 }, parts: vec![Numbers::new(&[1, 2, 3])] })
            .is_err()
    );
    assert!(run(&mut Sum::default(), 0, Request { head: Count { count: MAX_COUNT + 1 }, parts: vec![] }).is_err());
    let mut swapped = Search::request("abc", "b").unwrap();
    swapped.parts.reverse();
    let mut node = Search::default();
    assert!(run(&mut node, 0, swapped).is_err());
    assert_eq!(node, Search::default());
    assert_eq!(text(&mut node, 0, "abc\nb").unwrap(), "1");
    assert_eq!(node, Search::default());
}

#[test]
fn a_request_given_up_leaves_nothing_behind() {
    fn check<C: CommandSet + PartialEq + std::fmt::Debug>(request: &str) {
        let (mut node, mut turn) = (C::default(), Turn { now_ns: 5, outputs: Vec::new() });
        let request = C::parse(request).unwrap();
        node.begin(request.head, &mut turn).unwrap();
        request.parts.into_iter().for_each(|part| node.part(part, &mut turn).unwrap());
        node.cancel();
        assert_eq!(node, C::default());
        assert!(turn.outputs.is_empty() && node.finish(&mut turn).is_err());
    }
    check::<Sum>("2 1 2");
    check::<Dictionary>("x 5");
    check::<Timer>("start");
    check::<Search>("abc\nb");
}

/// The number of comparisons is at most twice the length of the text and the pattern; a call makes so many at most,
/// hands out so many positions at most, and the rest is freeing.
#[test]
fn search_takes_linear_time_whatever_it_searches() {
    let length = 1_000_000;
    let (mut shorter, mut fibonacci) = ("a".to_owned(), "ab".to_owned());
    while fibonacci.len() < length {
        let longer = fibonacci.clone() + &shorter;
        shorter = std::mem::replace(&mut fibonacci, longer);
    }
    let fibonacci = fibonacci[..length].to_owned();
    let a = "a".repeat(length);
    let nearly = "a".repeat(length / 2) + "b";
    for (text, pattern) in [
        (&a, "a"),
        (&a, &a[..length / 2]),
        (&a, &nearly),
        (&fibonacci, &fibonacci[..length / 3]),
        (&a, "b"),
        (&nearly, "ab"),
    ] {
        let (found, calls) = searched(text, pattern);
        let steps = 2 * (text.len() + pattern.len());
        let freeing = (text.len() + 5 * pattern.len()) / (64 * 1024) + 3;
        let bound = steps / STEPS_PER_TURN + found.len() / PART_POSITIONS + freeing + 4;
        assert!(calls <= bound, "{calls} calls, at most {bound} expected");
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    }
    assert_eq!(searched(&a, &a).0, [0]);
    assert_eq!(searched(&a, "aa").0.len(), length - 1);
    assert_eq!(searched(&nearly, "ab").0, [length as u64 / 2 - 1]);
    assert!(searched(&a, &nearly).0.is_empty());
}

#[test]
fn sum_of_the_extremes() {
    let many = vec![i64::MIN; 100_000];
    assert_eq!(run(&mut Sum::default(), 0, Sum::request(&many)).unwrap().0, [i128::from(i64::MIN) * 100_000]);
    assert_eq!(
        text(&mut Sum::default(), 0, "2 9223372036854775807 9223372036854775807").unwrap(),
        "18446744073709551614"
    );
    assert_eq!(text(&mut Sum::default(), 0, "003\t 1 -00002  000000000000000000000000004 ").unwrap(), "3");
}

#[test]
fn timer_cuts_and_does_not_round() {
    let mut node = Timer::default();
    let mut at = |now_ns, press| text(&mut node, now_ns, press).unwrap();
    assert_eq!(at(9_000_000, "time"), "0");
    assert_eq!(at(9_000_000, "stop"), "");
    assert_eq!(at(10_000_000, "time"), "0");
    assert_eq!(at(10_000_001, "start"), "");
    assert_eq!(at(12_000_000, "time"), "1");
    assert_eq!(at(12_000_001, "stop"), "");
    assert_eq!(at(90_000_000, "stop"), "");
    assert_eq!(at(99_000_000, "time"), "2");
    assert_eq!(at(99_000_000, "start"), "");
    assert_eq!(at(99_000_000, "time"), "0");
}

#[test]
fn sets_by_name_and_number() {
    for (kind, number) in CommandSetKind::ALL.into_iter().zip(1..) {
        assert_eq!(kind.number(), number);
        assert_eq!(CommandSetKind::from_number(number), Some(kind));
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert_eq!(CommandSetKind::from_number(0), None);
    assert!("Sum".parse::<CommandSetKind>().is_err());
}

/// A command set as a user of the library writes it: counts what it is told. Its state is neither `Clone` nor `Debug`.
#[derive(Default)]
struct Counter {
    by_now: u64,
    step: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted(u64);

impl Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by now", self.0)
    }
}

impl CommandSet for Counter {
    type Head = u64;
    type Part = ();
    type Output = Counted;
    const NAME: &'static str = "counter";
    const USAGE: &'static str = "exec id step";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        Ok(Request { head: text.parse().map_err(RequestError::new)?, parts: Vec::new() })
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", request.head)
    }

    fn begin(&mut self, step: u64, _: &mut Turn<Counted>) -> Result<(), RequestError> {
        self.step = Some(step);
        Ok(())
    }

    fn finish(&mut self, turn: &mut Turn<Counted>) -> Result<Progress, RequestError> {
        self.by_now += self.step.take().unwrap_or(0);
        turn.outputs.push(Counted(self.by_now));
        Ok(Progress::Done)
    }
}

#[test]
fn a_command_set_of_ones_own() {
    let mut node = Counter::default();
    assert_eq!(text(&mut node, 0, "5").unwrap(), "5 by now");
    assert_eq!(text(&mut node, 0, "7").unwrap(), "12 by now");
    assert!(text(&mut node, 0, "x").is_err());
    assert!(node.part((), &mut Turn { now_ns: 0, outputs: Vec::new() }).is_err());
    assert!(read_whole::<Counter>("5").is_err());
    assert!(TextReader::<Counter>::end_line(&mut NoStream, true, &mut Vec::new()).is_err());
    let command: Command<Counter> = "exec 3 9".parse().unwrap();
    assert_eq!(command.to_string(), "exec 3 9");
    assert_eq!(command.clone(), command);
    let mut behind_bytes = executor::<Counter>();
    let mut outputs = Vec::new();
    behind_bytes.begin(0, &postcard::to_stdvec(&3u64).unwrap(), &mut outputs).unwrap();
    assert_eq!(behind_bytes.finish(0, &mut outputs), Ok(Progress::Done));
    assert_eq!((outputs.len(), behind_bytes.long_ns()), (1, None));
}
