//! What a person types and reads: parsing and printing are inverse, every line gets a command or an error, and the
//! texts are those of the specification.

use std::io;
use std::sync::Arc;

use nodetree::command_sets::dictionary::Found;
use nodetree::command_sets::search::Positions;
use nodetree::command_sets::timer::{Press, Reading};
use nodetree::command_sets::{CommandSet, Dictionary, Request, RequestError, Search, StreamItem, Sum, Timer};
use nodetree::commands::{
    Answer, Command, CommandError, EncodedResult, Event, ExecError, ExecResult, FORMS, Form, MAX_LINE_BYTES,
    MAX_MESSAGE_BYTES, Notice, Refusal, Reply, Scanner, Spool, Ticket, Verb, help, write_message,
};
use proptest::prelude::*;

/// What the scanner finds in an input that comes in these pieces.
fn scan_pieces<'a, C: CommandSet>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event<C>> {
    let (mut scanner, mut events) = (Scanner::default(), Vec::new());
    for mut piece in pieces {
        events.extend(std::iter::from_fn(|| scanner.next(&mut piece)));
        assert!(piece.is_empty());
    }
    events.extend(std::iter::from_fn(|| scanner.finish()));
    assert!(scanner.is_at_start());
    events
}

fn scan<C: CommandSet>(input: impl AsRef<[u8]>) -> Vec<Event<C>> {
    scan_pieces([input.as_ref()])
}

/// The commands and errors of events, with streamed requests put together.
fn whole<C: CommandSet>(events: Vec<Event<C>>) -> Vec<Result<Command<C>, CommandError>> {
    let (mut all, mut under_way) = (Vec::new(), None);
    for event in events {
        assert_eq!(under_way.is_some(), matches!(event, Event::Item(_) | Event::End(_)));
        match event {
            Event::Command(command) => all.push(Ok(command)),
            Event::Wrong(error) => all.push(Err(error)),
            Event::Begin { id } => under_way = Some((id, Vec::new())),
            Event::Item(item) => under_way.as_mut().unwrap().1.push(item),
            Event::End(end) => {
                let (id, items) = under_way.take().unwrap();
                all.push(Ok(Command::Exec { id, request: end.and_then(|()| Request::from_items(items)) }));
            }
        }
    }
    assert!(under_way.is_none());
    all
}

/// What is printed for an input in a system where every node says `Not found`, but exec says what is wrong.
fn replies<C: CommandSet>(input: impl AsRef<[u8]>) -> Vec<String> {
    let answer = |line: Result<Command<C>, CommandError>| match line {
        Err(error) => Answer::<C>::from(error),
        Ok(Command::Exec { id, request: Err(error) }) => Answer::Exec { id, outcome: Err(error.into()) },
        Ok(_) => Answer::Done,
    };
    whole(scan::<C>(input)).into_iter().map(|line| answer(line).to_string()).collect()
}

/// Whether a line of output is a reply or a notice of the specification.
fn check_reply_line(line: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().is_ok();
    let with_id = |rest: &str, text: fn(&str) -> bool| {
        rest.split_once(": ").map_or(number(rest), |(id, rest)| number(id) && text(rest))
    };
    if let Some(rest) = line.strip_prefix("Heartbit: node ") {
        let (id, state) = rest.split_once(" is ").unwrap_or_default();
        return number(id) && matches!(state, "unavailable now" | "available again");
    }
    if let Some(rest) = line.strip_prefix("Ok") {
        let plain = rest.is_empty() || rest == ":";
        let ids = |rest: &str| rest.split([';', ' ']).all(number);
        return plain
            || rest.strip_prefix(": ").is_some_and(ids)
            || rest.strip_prefix(':').is_some_and(|rest| with_id(rest, |text| !text.is_empty()));
    }
    let Some(rest) = line.strip_prefix("Error:") else { return false };
    rest.strip_prefix(' ').is_some_and(|text| !text.is_empty())
        || (rest.contains(": ") && with_id(rest, |text| !text.is_empty()))
}

fn any_command<C: CommandSet>(
    request: impl Strategy<Value = Request<C>> + 'static,
) -> impl Strategy<Value = Command<C>> {
    let id = || prop_oneof![any::<i64>(), -2..3i64, Just(i64::MIN), Just(i64::MAX)];
    let ms = || 0..=86_400_000u64;
    prop_oneof![
        (id(), prop::option::of(id())).prop_map(|(id, parent)| Command::Create { id, parent }),
        (id(), request).prop_map(|(id, request)| Command::Exec { id, request: Ok(request) }),
        id().prop_map(|id| Command::Ping { id }),
        prop_oneof![Just(0), 10..=86_400_000u64].prop_map(|period_ms| Command::Heartbit { period_ms }),
        id().prop_map(|id| Command::Remove { id }),
        id().prop_map(|id| Command::Kill { id }),
        id().prop_map(|id| Command::Pause { id }),
        id().prop_map(|id| Command::Resume { id }),
        prop::option::of(ms()).prop_map(|ms| Command::Wait { ms }),
        prop::option::of("[!-~]{1,9}").prop_map(|command| Command::Help { command }),
        (0..4).prop_map(|nth| match nth {
            0 => Command::PingAll,
            1 => Command::All,
            2 => Command::Tree,
            _ => Command::Exit,
        }),
    ]
}

fn any_sum() -> impl Strategy<Value = Request<Sum>> {
    prop::collection::vec(any::<i64>(), 1..30).prop_map(|numbers| Sum::request(&numbers))
}

fn any_dictionary() -> impl Strategy<Value = Request<Dictionary>> {
    ("[A-Za-z0-9]{1,9}", prop::option::of(any::<i64>()))
        .prop_map(|(name, value)| value.map_or(Dictionary::load(&name), |value| Dictionary::save(&name, value)))
}

fn any_timer() -> impl Strategy<Value = Request<Timer>> {
    prop::sample::select(Press::ALL.to_vec()).prop_map(Timer::press)
}

fn any_search() -> impl Strategy<Value = Request<Search>> {
    ("[A-Za-z0-9]{1,40}", "[A-Za-z0-9]{1,9}").prop_map(|(text, pattern)| Search::request(&text, &pattern).unwrap())
}

fn round_trip<C: CommandSet>(commands: Vec<Command<C>>, line_end: &str) -> Result<(), TestCaseError> {
    let mut input = String::new();
    for command in &commands {
        let text = command.to_string();
        prop_assert_eq!(&text.parse::<Command<C>>().unwrap(), command, "{}", text);
        input += &text.replace('\n', line_end);
        input += line_end;
    }
    let expected: Vec<_> = commands.into_iter().map(Ok).collect();
    prop_assert_eq!(whole(scan::<C>(input)), expected);
    Ok(())
}

/// Bytes that look like commands, more or less.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "exec",
        "create",
        "ping",
        "wait",
        "help",
        "exit",
        "execs",
        " ",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "#",
        "-",
        "1",
        "007",
        "x",
        "abra",
        "99999999999999999999",
        "\u{e9}",
        "\0",
    ]);
    let word = prop_oneof![
        8 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

fn same_however_cut<C: CommandSet>(input: &[u8], size: usize) -> Result<(), TestCaseError> {
    let events = scan::<C>(input);
    prop_assert_eq!(&scan_pieces::<C>(input.chunks(size)), &events);
    for line in replies::<C>(input) {
        prop_assert!(check_reply_line(&line), "{:?}", line);
    }
    Ok(())
}

/// Without streams every line that says something is one command or one error, and it is what `FromStr` says.
fn same_as_line_by_line(input: &[u8]) -> Result<(), TestCaseError> {
    let mut expected = Vec::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
        let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
        match (start, std::str::from_utf8(line)) {
            (Some(start), _) if line[start] == b'#' => {}
            (None, _) => {}
            (Some(_), Err(_)) => expected.push(Err(CommandError::NotUtf8)),
            (Some(_), Ok(text)) => expected.push(text.parse::<Command<Dictionary>>()),
        }
    }
    prop_assert_eq!(whole(scan::<Dictionary>(input)), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn parsing_reads_what_printing_writes(
        sum in any_command(any_sum()), dictionary in any_command(any_dictionary()),
        timer in any_command(any_timer()), search in any_command(any_search()), crlf: bool,
    ) {
        let line_end = if crlf { "\r\n" } else { "\n" };
        round_trip(vec![sum.clone(), sum], line_end)?;
        round_trip(vec![dictionary.clone(), dictionary], line_end)?;
        round_trip(vec![timer.clone(), timer], line_end)?;
        round_trip(vec![search.clone(), search], line_end)?;
    }

    #[test]
    fn lines_read_the_same_however_they_are_cut(input in any_input(), size in 1..9usize) {
        same_however_cut::<Sum>(&input, size)?;
        same_however_cut::<Dictionary>(&input, size)?;
        same_however_cut::<Timer>(&input, size)?;
        same_however_cut::<Search>(&input, size)?;
        same_as_line_by_line(&input)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_line_is_a_command_or_an_error(line in prop::collection::vec(any::<u8>(), 0..64)) {
        let lines = 1 + line.iter().filter(|byte| **byte == b'\n').count();
        for count in [replies::<Sum>(&line).len(), replies::<Dictionary>(&line).len(), replies::<Search>(&line).len()] {
            prop_assert!(count <= lines);
        }
        same_as_line_by_line(&line)?;
    }
}

/// The lines of `bad-input.txt`, and more of the kind, with what each is answered.
#[test]
fn bad_lines() {
    let integer = "must be an integer from -9223372036854775808 to 9223372036854775807";
    let cases = [
        ("exec 1 bad-name 5", "Error:1: name must be letters and digits, not bad-name".to_owned()),
        ("exec 1 x 5 6", "Error:1: expected name [value]".to_owned()),
        ("exec 1 x 99999999999999999999", format!("Error:1: value {integer}, not 99999999999999999999")),
        ("exec 1", "Error:1: expected name [value]".to_owned()),
        ("ping abc", "Error: Usage: ping id".to_owned()),
        ("ping", "Error: Usage: ping id".to_owned()),
        ("ping 1 2", "Error: Usage: ping id".to_owned()),
        ("ping +1", "Error: Usage: ping id".to_owned()),
        ("ping 1.0", "Error: Usage: ping id".to_owned()),
        ("ping --1", "Error: Usage: ping id".to_owned()),
        ("create", "Error: Usage: create id [parent]".to_owned()),
        ("create 1 2 3", "Error: Usage: create id [parent]".to_owned()),
        ("create 1 x", "Error: Usage: create id [parent]".to_owned()),
        ("create 99999999999999999999", "Error: Usage: create id [parent]".to_owned()),
        ("create -9223372036854775809", "Error: Usage: create id [parent]".to_owned()),
        ("pingall 1", "Error: Usage: pingall".to_owned()),
        ("heartbit -5", "Error: Usage: heartbit ms".to_owned()),
        ("heartbeat 9", "Error: Usage: heartbit ms".to_owned()),
        ("heartbit 86400001", "Error: Usage: heartbit ms".to_owned()),
        ("heartbit", "Error: Usage: heartbit ms".to_owned()),
        ("remove", "Error: Usage: remove id".to_owned()),
        ("kill x", "Error: Usage: kill id".to_owned()),
        ("pause", "Error: Usage: pause id".to_owned()),
        ("resume", "Error: Usage: resume id".to_owned()),
        ("all 1", "Error: Usage: all".to_owned()),
        ("tree 1", "Error: Usage: tree".to_owned()),
        ("wait -1", "Error: Usage: wait [ms]".to_owned()),
        ("wait 86400001", "Error: Usage: wait [ms]".to_owned()),
        ("wait x", "Error: Usage: wait [ms]".to_owned()),
        ("help a b", "Error: Usage: help [command]".to_owned()),
        ("exit now", "Error: Usage: exit".to_owned()),
        ("quit now", "Error: Usage: quit".to_owned()),
        ("exec", "Error: Usage: exec id name [value]".to_owned()),
        ("exec x y", "Error: Usage: exec id name [value]".to_owned()),
        ("fly 1", "Error: Unknown command: fly".to_owned()),
        ("PING 1", "Error: Unknown command: PING".to_owned()),
        ("ping\u{a0}1", "Error: Unknown command: ping\\u{a0}1".to_owned()),
        ("caf\u{e9}\u{1f600}\u{7f} 1", "Error: Unknown command: caf\\u{e9}\\u{1f600}\\u{7f}".to_owned()),
        ("a\rb\0", "Error: Unknown command: a\\u{d}b\\u{0}".to_owned()),
    ];
    for (line, expected) in cases {
        assert_eq!(replies::<Dictionary>(line), [expected.as_str()], "{line:?}");
        assert_eq!(replies::<Dictionary>(format!("\t {line} \t\r\n")), [expected], "{line:?}");
    }
    let long = "\u{e9}".repeat(100);
    assert_eq!(replies::<Sum>(&long), [format!("Error: Unknown command: {}", "\\u{e9}".repeat(64))]);
    assert_eq!(replies::<Sum>("exec 5x 1 2"), ["Error: Usage: exec id n k1 ... kn"]);
    assert_eq!(replies::<Timer>("exec"), ["Error: Usage: exec id start|stop|time"]);
    assert_eq!(replies::<Search>("exec\n1\n2\nfly"), ["Error: Usage: exec id", "Error: Unknown command: fly"]);
}

#[test]
fn lines_that_say_nothing() {
    let blank = " \t".repeat(MAX_LINE_BYTES);
    let comment = format!("# \u{e9}{}", "x".repeat(MAX_LINE_BYTES));
    let input = format!("\n\r\n \t\r\n{blank}\n{comment}\n  # comment\n{blank}\r\nping 1\n#");
    assert_eq!(whole(scan::<Sum>(&input)), [Ok(Command::Ping { id: 1 })]);
    assert_eq!(whole(scan::<Search>(&input)), [Ok(Command::Ping { id: 1 })]);
    assert!(scan::<Dictionary>(b"# \xff\n   \n\t# \xfe").is_empty());
}

#[test]
fn long_lines() {
    let fits = |length: usize| format!("ping 1{}", " ".repeat(length - 6));
    assert_eq!(whole(scan::<Sum>(fits(MAX_LINE_BYTES))), [Ok(Command::Ping { id: 1 })]);
    assert_eq!(whole(scan::<Sum>(fits(MAX_LINE_BYTES - 1) + "\r\n")), [Ok(Command::Ping { id: 1 })]);
    for line in [
        fits(MAX_LINE_BYTES + 1),
        fits(MAX_LINE_BYTES) + "\r\n",
        " ".repeat(MAX_LINE_BYTES) + "ping 1",
        format!("execs{}", "\u{e9}".repeat(MAX_LINE_BYTES)),
    ] {
        for size in [1, 4096, usize::MAX] {
            let pieces = line.as_bytes().chunks(size).chain([&b"\nall"[..]]);
            let expected = [Err(CommandError::LineTooLong), Ok(Command::All)];
            let found = whole(scan_pieces::<Sum>(pieces));
            assert_eq!(found, expected);
        }
    }
    let mut not_text = b"\xff".repeat(MAX_LINE_BYTES);
    assert_eq!(replies::<Timer>(&not_text), ["Error: Not UTF-8"]);
    not_text.push(b'x');
    assert_eq!(replies::<Timer>(&not_text), ["Error: Line too long"]);
    let long_exec = format!("exec 1 {}", "x".repeat(MAX_LINE_BYTES));
    assert_eq!(replies::<Dictionary>(&long_exec), ["Error: Line too long"]);
    assert_eq!(long_exec.parse::<Command<Dictionary>>(), Err(CommandError::LineTooLong));
}

#[test]
fn streamed_lines_have_any_length() {
    let zeros = "0".repeat(MAX_LINE_BYTES);
    let blanks = " \t".repeat(MAX_LINE_BYTES);
    let line = format!("{blanks}exec{blanks}-{zeros}7{blanks}2{blanks}5 -{zeros}3{blanks}");
    let expected = Command::Exec { id: -7, request: Ok(Sum::request(&[5, -3])) };
    for size in [1, 1000, usize::MAX] {
        let found = whole(scan_pieces::<Sum>(line.as_bytes().chunks(size)));
        assert_eq!(found, [Ok(expected.clone())]);
    }
    assert_eq!(line.parse(), Ok(expected));
    let usage = "Error: Usage: exec id n k1 ... kn";
    let bad_id = format!("exec {}\nall", "9".repeat(2 * MAX_LINE_BYTES));
    assert_eq!(replies::<Sum>(bad_id), [usage, "Ok"]);
    assert_eq!(replies::<Sum>(b"exec \xff 1 2\nall"), [usage, "Ok"]);
    assert_eq!(replies::<Sum>("exec 1\r 1 2\nexec 1\r\nexec \r\nexec 1\r").len(), 4);
    assert_eq!(replies::<Sum>("exec 1\r 1 2\nexec \r\nexec 2\r"), [usage; 3]);
    let error = |line: &[u8]| replies::<Sum>(line).pop().unwrap();
    assert!(error(b"exec 1 2 1 \xff").starts_with("Error:1: k2 must be an integer"));
    assert!(error(b"exec 1 1 5\r").starts_with("Error:1: k1 must be an integer"));
    assert_eq!(error(b"exec 1 1 5\r\n"), "Ok");
    assert_eq!(error(b"exec 1\r\n"), "Error:1: n must be an integer from 1 to 100000000");
    assert_eq!(error(&[&b"exec 1 x"[..], &b" 1".repeat(MAX_LINE_BYTES), b"\nall"].concat()), "Ok");
}

#[test]
fn two_lines_follow_an_exec_of_search() {
    let found = whole(scan::<Search>("exec 10\r\nabracadabra\r\nabra\r\nexec 11\naaaa\naa"));
    let exec = |id, text, pattern| Ok(Command::Exec { id, request: Search::request(text, pattern) });
    assert_eq!(found, [exec(10, "abracadabra", "abra"), exec(11, "aaaa", "aa")]);

    let usage = "Error: Usage: exec id";
    let skipped = format!("exec x\nping 1\n{}\nall\nexec\n\n# no comment\nall", "x".repeat(2 * MAX_LINE_BYTES));
    assert_eq!(replies::<Search>(skipped), [usage, "Ok", usage, "Ok"]);
    assert_eq!(replies::<Search>(b"exec 1 \xff\nall\nall\nall"), ["Error: Not UTF-8", "Ok"]);
    let long = format!("exec 1{}\nall\nall\nall", " ".repeat(MAX_LINE_BYTES));
    assert_eq!(replies::<Search>(long), ["Error: Line too long", "Ok"]);

    let error = |input: &str| replies::<Search>(input).join("|");
    assert_eq!(error("exec 1 x\na\nb\nall"), "Error:1: unexpected text behind the id|Ok");
    assert_eq!(error("exec 1\n\nb\nall"), "Error:1: text must not be empty|Ok");
    assert_eq!(error("exec 1\na\n\nall"), "Error:1: pattern must not be empty|Ok");
    assert_eq!(error("exec 1\n# a\nb\nall"), "Error:1: text must be letters and digits, character 1 is not|Ok");
    assert_eq!(error("exec 1\na\rb\nb\nall"), "Error:1: text must be letters and digits, character 2 is not|Ok");
    assert_eq!(error("exec 1\n a\nb\nall"), "Error:1: text must be letters and digits, character 1 is not|Ok");
    for cut in ["exec 1", "exec 1\n", "exec 1\na", "exec 1\na\n"] {
        assert_eq!(error(cut), "Error:1: the input ended before the request", "{cut:?}");
    }
    for cut in ["exec x", "exec x\n", "exec x\na", "exec x\na\n"] {
        assert_eq!(error(cut), usage, "{cut:?}");
    }
}

#[test]
fn nothing_is_read_behind_a_command() {
    let (mut scanner, mut input) = (Scanner::<Search>::default(), &b"exec 1\nab\nb\nexit\nexec"[..]);
    assert_eq!(scanner.next(&mut input), Some(Event::Begin { id: 1 }));
    assert_eq!(input, b"ab\nb\nexit\nexec");
    assert!(!scanner.is_at_start());
    assert_eq!(scanner.next(&mut input), Some(Event::Item(StreamItem::Head(()))));
    let rest: Vec<_> =
        std::iter::from_fn(|| scanner.next(&mut input).filter(|event| *event != Event::End(Ok(())))).collect();
    assert_eq!((rest.len(), input), (2, &b"exit\nexec"[..]));
    assert!(scanner.is_at_start());
    assert_eq!(scanner.next(&mut input), Some(Event::Command(Command::Exit)));
    assert_eq!(input, b"exec");
}

#[test]
fn extremes() {
    for id in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(format!("ping {id}").parse(), Ok(Command::<Sum>::Ping { id }));
        let line = format!("exec {id} 1 {id}\n");
        assert_eq!(whole(scan::<Sum>(line)), [Ok(Command::Exec { id, request: Ok(Sum::request(&[id])) })]);
    }
    assert_eq!("create -0 -007".parse(), Ok(Command::<Sum>::Create { id: 0, parent: Some(-7) }));
    assert_eq!("heartbeat 010".parse(), Ok(Command::<Sum>::Heartbit { period_ms: 10 }));
    assert_eq!("wait 0086400000".parse(), Ok(Command::<Sum>::Wait { ms: Some(86_400_000) }));
    assert_eq!("quit".parse(), Ok(Command::<Sum>::Exit));
    assert_eq!("ping 1\n".parse::<Command<Sum>>(), Err(CommandError::Usage { form: "ping id" }));
    assert_eq!("".parse::<Command<Sum>>(), Err(CommandError::unknown("")));
}

#[test]
fn an_exec_that_is_wrong_prints_as_one_that_is_wrong() {
    fn check<C: CommandSet>() {
        let command = Command::<C>::Exec { id: 3, request: Err(RequestError::new("no")) };
        let again: Command<C> = command.to_string().parse().unwrap();
        assert!(matches!(again, Command::Exec { id: 3, request: Err(_) }));
    }
    check::<Sum>();
    check::<Dictionary>();
    check::<Timer>();
    check::<Search>();
}

#[test]
fn answers_print_as_specified() {
    let exec = |outcome| Answer::<Search>::Exec { id: -10, outcome };
    let cases = [
        (Answer::Created { pid: 4021 }, "Ok: 4021"),
        (exec(Ok(ExecResult::of([]))), "Ok:-10"),
        (exec(Ok(ExecResult::of([Positions::At(vec![0, 7]), Positions::At(vec![9])]))), "Ok:-10: 0;7;9"),
        (exec(Ok(ExecResult::of([Positions::Nowhere]))), "Ok:-10: -1"),
        (exec(Err(ExecError::NotFound)), "Error:-10: Not found"),
        (exec(Err(ExecError::Unavailable)), "Error:-10: Node is unavailable"),
        (exec(Err(RequestError::new("text must not be empty").into())), "Error:-10: text must not be empty"),
        (Answer::Ping { available: true }, "Ok: 1"),
        (Answer::Ping { available: false }, "Ok: 0"),
        (Answer::PingAll { down: vec![] }, "Ok: -1"),
        (Answer::PingAll { down: vec![7, 10, 15] }, "Ok: 7;10;15"),
        (Answer::Done, "Ok"),
        (Answer::All { ids: vec![] }, "Ok:"),
        (Answer::All { ids: vec![12, 66, 88] }, "Ok: 12 66 88"),
        (Answer::Refused(Refusal::AlreadyExists), "Error: Already exists"),
        (Answer::Refused(Refusal::ParentNotFound), "Error: Parent not found"),
        (Answer::Refused(Refusal::ParentUnavailable), "Error: Parent is unavailable"),
        (Answer::Refused(Refusal::NotFound), "Error: Not found"),
        (Answer::Refused(Refusal::Unavailable), "Error: Node is unavailable"),
        (Answer::Refused(Refusal::NodeInTheWay(-3)), "Error: node -3 is unavailable"),
        (Answer::Refused(Refusal::Interrupted), "Error: Interrupted"),
        (Answer::Refused(CommandError::NotUtf8.into()), "Error: Not UTF-8"),
        (Answer::Refused(Refusal::Other("no process".into())), "Error: no process"),
    ];
    for (answer, expected) in cases {
        assert_eq!(answer.to_string(), expected);
        assert!(check_reply_line(expected), "{expected}");
        assert_eq!(answer.clone(), answer);
        let (mut written, reply) = (Vec::new(), Reply { ticket: Ticket(1), answer });
        reply.write_to(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
        assert_eq!(reply.clone(), reply);
    }
    assert_eq!(Answer::<Sum>::Tree { drawing: "-1\n└── 1 (1000)".into() }.to_string(), "-1\n└── 1 (1000)");
    for notice in [Notice::Unavailable { id: -4 }, Notice::Available { id: 4 }] {
        assert!(check_reply_line(&notice.to_string()));
    }
    for line in ["", "ok", "Ok: ", "Ok:x", "Error", "Error:", "Error:5", "Heartbit: node x is unavailable now"] {
        assert!(!check_reply_line(line), "{line:?}");
    }
    let saved = Answer::<Dictionary>::Exec { id: 10, outcome: Ok(ExecResult::of([Found::Saved])) };
    assert_eq!(saved.to_string(), "Ok:10");
    let started = Answer::<Timer>::Exec { id: 10, outcome: Ok(ExecResult::of([Reading::Set])) };
    assert_eq!(started.to_string(), "Ok:10");
}

#[test]
fn help_ends_with_its_only_empty_line() {
    let all = help::<Search>(None).unwrap();
    for form in &FORMS {
        assert!(all.lines().any(|line| line.starts_with(form.usage::<Search>())));
        for word in form.words {
            assert_eq!(Form::find(word).map(|found| found.verb), Some(form.verb));
            let one = help::<Search>(Some(word)).unwrap();
            assert!(one.starts_with(form.usage::<Search>()) && one.ends_with('\n'));
            assert!(one.lines().count() >= 2 && one.lines().all(|line| !line.is_empty()));
        }
    }
    assert!(all.ends_with('\n') && all.lines().all(|line| !line.is_empty()));
    assert_eq!(FORMS.iter().filter(|form| form.form.is_none()).map(|form| form.verb).collect::<Vec<_>>(), [Verb::Exec]);
    assert_eq!(help::<Sum>(Some("fly\u{e9}")).unwrap_err().to_string(), "Unknown command: fly\\u{e9}");
}

/// A spool that reads little at a time, and fails from some place on.
struct Grudging(Vec<u8>, u64);

impl Spool for Grudging {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.1 {
            return Err(io::Error::other("no more"));
        }
        let length = buffer.len().min(1 + (offset % 7) as usize);
        self.0.read_at(&mut buffer[..length], offset)
    }
}

#[test]
fn a_spooled_result_is_the_same_result() {
    let parts: Vec<Positions> = (0..300).map(|n| Positions::At((n * 1000..n * 1000 + 100).collect())).collect();
    let in_memory = ExecResult::<Search>::of(parts.clone());
    let file = in_memory.encoded().as_bytes().to_vec();
    let length = file.len() as u64;
    let spooled = |spool: Arc<dyn Spool>, length| ExecResult::<Search>::from(EncodedResult::spooled(spool, length));
    for same in [spooled(Arc::new(file.clone()), length), spooled(Arc::new(Grudging(file.clone(), u64::MAX)), length)] {
        assert_eq!(same, in_memory);
        assert_eq!(in_memory, same);
        assert_eq!(same.parts().collect::<io::Result<Vec<_>>>().unwrap(), parts);
        assert_eq!(same.to_string(), in_memory.to_string());
        let mut written = Vec::new();
        same.clone().write_to(&mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), in_memory.to_string());
    }
    for broken in [
        spooled(Arc::new(Grudging(file.clone(), 5000)), length),
        spooled(Arc::new(file.clone()), length - 1),
        spooled(Arc::new(file.clone()), length + 1),
        spooled(Arc::new(vec![0xff; 100]), 100),
    ] {
        assert_ne!(broken, in_memory);
        assert!(broken.parts().count() <= parts.len() + 1 && broken.parts().last().unwrap().is_err());
        assert!(broken.write_to(&mut Vec::new()).is_err());
    }
}

#[test]
fn messages_of_a_result_are_bounded() {
    let mut result = EncodedResult::default();
    assert!(result.is_empty());
    assert!(result.push(&vec![0; MAX_MESSAGE_BYTES + 1]).is_err() && result.is_empty());
    assert!(write_message(&mut Vec::new(), &vec![0; MAX_MESSAGE_BYTES + 1]).is_err());
    result.push(&[]).unwrap();
    assert_eq!((result.len(), result.as_bytes()), (4, &[0u8; 4][..]));
    assert!(EncodedResult::spooled(Arc::new(Vec::new()), 0).push(b"x").is_err());
}
