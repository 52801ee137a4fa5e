//! Which fault is covered by which test: a fault without a test, or a test that is not there, is seen here.
//!
//! The faults have the numbers of the catalogue from which the tests are drawn: A are faults of processes, B of the
//! control node, C of links and frames, E of clocks, F of commands, scale and limits. Those that need durable state come with it.

use std::fs;
use std::path::{Path, PathBuf};

use Cover::{Reason, Tests};

#[derive(Clone, Copy, Debug)]
enum Cover {
    /// Files of `tests` or `src` without their ending, and the functions in them.
    Tests(&'static [&'static str]),
    /// Why there is none.
    Reason(&'static str),
}

struct Row {
    fault: &'static str,
    what: &'static str,
    cover: Cover,
}

const fn row(fault: &'static str, what: &'static str, cover: Cover) -> Row {
    Row { fault, what, cover }
}

/// The groups, and which faults belong to them. F3, F4, F6 and F8 speak of adoption and restarts.
const GROUPS: [(&str, &[&str]); 5] = [
    ("A", &["F1", "F2", "F5", "F7", "F9", "F10", "F11", "F12", "F13", "F14", "F15", "F16", "F17", "F18", "F19"]),
    ("B", &["F20", "F21", "F22", "F23", "F24", "F25", "F26", "F27"]),
    ("C", &["F28", "F29", "F30", "F31", "F32", "F33", "F34", "F35", "F36", "F37", "F38", "F39", "F40", "F41"]),
    ("E", &["F50", "F51", "F52", "F53"]),
    ("F", &["F54", "F55", "F56", "F57", "F58", "F59", "F60", "F61", "F62"]),
];

const TABLE: [Row; 50] = [
    row(
        "F1",
        "kill -9 of a leaf, of inner nodes, of several",
        Tests(&[
            "process/strikes::who_is_not_below_a_killed_node_answers_as_before",
            "process/strikes::a_death_from_outside_is_known_soon_and_siblings_do_not_feel_it",
            "process/kills::two_hundred_kills_at_random_moments_break_no_promise",
        ]),
    ),
    row(
        "F2",
        "kill -9 of a root",
        Tests(&[
            "process/strikes::who_is_not_below_a_killed_node_answers_as_before",
            "process/kills::two_hundred_kills_at_random_moments_break_no_promise",
        ]),
    ),
    row(
        "F5",
        "kill at each point of an exec",
        Tests(&[
            "process/crashes::a_death_at_each_moment_of_a_request_leaves_one_right_answer",
            "process/crashes::of_many_requests_at_a_death_a_first_part_is_answered",
        ]),
    ),
    row(
        "F7",
        "SIGSTOP, then SIGCONT",
        Tests(&[
            "process/stops::a_stop_is_noticed_when_it_is_longer_than_four_periods_and_only_then",
            "process/stops::a_node_that_goes_on_answers_nothing_twice",
        ]),
    ),
    row(
        "F9",
        "a worker that spins",
        Tests(&["own_program::a_node_that_computes_for_long_answers_ping_and_can_be_killed"]),
    ),
    row("F10", "a slow node", Tests(&["process/stops::a_slow_node_is_not_a_dead_one"])),
    row(
        "F11",
        "all are starved",
        Tests(&[
            "process/stops::a_starved_machine_has_slow_nodes_and_no_dead_ones",
            "kernel::a_starved_process_is_given_until_five_periods",
        ]),
    ),
    row("F12", "no memory for a node", Tests(&["own_program::a_node_that_takes_too_much_memory_dies_alone"])),
    row("F13", "no processes left", Tests(&["process/limits::no_process_left_is_an_error_of_create"])),
    row(
        "F14",
        "no descriptors left",
        Tests(&[
            "process/limits::no_descriptor_left_is_an_error_of_create",
            "process/limits::a_parent_without_descriptors_refuses_a_child_and_lives",
        ]),
    ),
    row(
        "F15",
        "the program of the nodes is missing or another",
        Tests(&[
            "process/limits::a_program_that_cannot_be_a_node_is_an_error_of_create",
            "process/limits::a_program_that_is_renamed_meanwhile_is_missed_by_creates_only",
        ]),
    ),
    row("F16", "pids come again", Tests(&["process/strikes::a_stranger_with_the_pid_of_a_dead_node_gets_no_signal"])),
    row("F17", "1 000 ends at once", Tests(&["process/strikes::a_thousand_nodes_that_die_at_once_are_all_reaped"])),
    row(
        "F18",
        "double kill, kill of a dying node, double remove",
        Tests(&[
            "process/strikes::what_is_killed_or_removed_twice_is_so_once",
            "process/strikes::a_kill_of_a_dying_node_has_one_reply",
        ]),
    ),
    row(
        "F19",
        "panic, abort, full stack, SIGSEGV",
        Tests(&[
            "process/crashes::a_crash_of_any_kind_is_a_death",
            "own_program::a_command_set_that_crashes_takes_its_node_and_nobody_else",
        ]),
    ),
    row(
        "F20",
        "kill -9 of the control node",
        Tests(&[
            "control/ends::nothing_outlives_a_control_node_that_creates",
            "control/ends::no_stopped_node_outlives_the_control_node",
            "control/ends::no_spare_process_outlives_the_control_node",
            "control/ends::no_starved_node_outlives_the_control_node",
            "control/ends::nothing_outlives_a_control_node_that_re_links",
            "control/ends::nothing_outlives_a_control_node_in_the_middle_of_a_stream",
        ]),
    ),
    row(
        "F21",
        "kill -9 between fork and the death signal",
        Tests(&[
            "control/ends::a_node_whose_parent_is_another_one_ends",
            "control/ends::a_control_node_that_dies_before_its_node_can_know_leaves_nothing",
        ]),
    ),
    row(
        "F22",
        "SIGINT, SIGTERM, SIGHUP, SIGQUIT",
        Tests(&[
            "control/signals::every_signal_drains_and_leaves_nothing",
            "control/signals::a_signal_to_the_whole_group_drains",
            "control/signals::sigquit_leaves_nothing",
            "control/signals::ctrl_c_at_a_terminal_and_its_end_leave_nothing",
        ]),
    ),
    row(
        "F23",
        "end of input with much in flight",
        Tests(&["control/streams::the_end_of_the_input_with_ten_thousand_commands_in_flight"]),
    ),
    row(
        "F24",
        "an output that is closed, stalled or full",
        Tests(&[
            "control/streams::a_closed_output_ends_it_in_order",
            "control/streams::a_full_output_ends_it_in_order_and_says_so",
            "control/streams::a_blocked_output_holds_the_input_and_nothing_else",
        ]),
    ),
    row("F25", "input that is no text", Tests(&["control/streams::odd_input_is_one_error_for_each_line"])),
    row("F26", "restart on the same data", Reason("a control node keeps no data yet")),
    row("F27", "two control nodes on one data directory", Reason("a control node keeps no data yet")),
    row("F28", "a frame that is cut", Tests(&["links/strangers::half_a_frame_and_the_end_is_a_death"])),
    row(
        "F29",
        "garbage, wrong version, unknown type",
        Tests(&[
            "links/strangers::what_is_no_frame_ends_the_link_and_is_reported",
            "links/strangers::a_wrong_frame_on_its_control_link_ends_the_node",
        ]),
    ),
    row(
        "F30",
        "lengths that lie",
        Tests(&[
            "links/strangers::what_is_no_frame_ends_the_link_and_is_reported",
            "links/page::what_is_no_frame_is_refused",
        ]),
    ),
    row(
        "F31",
        "frames in any pieces",
        Tests(&["links/forwarders::frames_may_come_byte_by_byte", "links/forwarders::frames_may_be_cut_anywhere"]),
    ),
    row(
        "F32",
        "frames twice, late, in another order",
        Tests(&[
            "links/forwarders::what_comes_twice_takes_effect_once",
            "links/forwarders::what_comes_out_of_order_takes_effect_in_order",
            "links/forwarders::what_is_replayed_takes_no_effect",
        ]),
    ),
    row(
        "F33",
        "frames that are lost or held back",
        Tests(&[
            "faults::links_that_lose_repeat_delay_and_disorder_change_nothing_but_time",
            "faults::streams_get_over_bad_links_whole",
            "faults::a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed",
            "faults::one_direction_may_be_cut_alone",
        ]),
    ),
    row(
        "F34",
        "reset, slow close, half close",
        Tests(&[
            "links/strangers::a_link_that_ends_in_another_way_is_a_death",
            "links/strangers::a_link_that_cannot_be_written_to_ends",
        ]),
    ),
    row("F35", "delay on one link", Tests(&["links/strangers::a_peer_that_is_late_is_not_reported"])),
    row(
        "F36",
        "a peer that stops reading",
        Tests(&[
            "process/floods::a_flood_for_a_stopped_node_is_not_felt_beside_it",
            "process/floods::a_flood_for_a_stopped_node_makes_the_source_wait",
            "links/strangers::a_peer_that_does_not_read_stops_nobody",
        ]),
    ),
    row(
        "F37",
        "EINTR, EAGAIN, short writes",
        Tests(&["links/system_calls::an_interrupted_system_call_loses_nothing_and_does_nothing_twice"]),
    ),
    row(
        "F38",
        "an inherited descriptor",
        Tests(&[
            "links/census::every_descriptor_of_every_process_is_an_expected_one",
            "links/census::an_inherited_copy_would_be_seen",
        ]),
    ),
    row(
        "F39",
        "a stranger connects",
        Tests(&[
            "links/census::every_descriptor_of_every_process_is_an_expected_one",
            "links/strangers::a_program_that_never_says_hello_is_given_up_and_delays_nobody",
        ]),
    ),
    row(
        "F40",
        "a member claims the id of another",
        Tests(&[
            "links/strangers::nobody_speaks_for_whom_he_does_not_carry",
            "links/strangers::nobody_links_for_others",
        ]),
    ),
    row("F41", "socket paths", Tests(&["links/census::every_descriptor_of_every_process_is_an_expected_one"])),
    row(
        "F50",
        "wall clocks that are wrong, a clock that is ahead",
        Tests(&["faults::a_clock_that_is_ahead_changes_nothing", "rules::nothing_looks_at_the_wall_clock"]),
    ),
    row(
        "F51",
        "a machine that stands still",
        Tests(&[
            "clocks::a_machine_that_stands_still_loses_nobody",
            "clocks::a_program_of_threads_that_stands_still_loses_nobody",
            "actors/deadlines::after_a_stall_of_the_control_node_whoever_was_waited_for_has_the_time_once_more",
            "actors/deadlines::a_machine_that_stood_still_for_ten_periods_has_no_quiet_nodes",
        ]),
    ),
    row(
        "F52",
        "periods of any length, changed at any time",
        Tests(&[
            "clocks::a_period_is_none_or_from_ten_milliseconds_to_a_day",
            "clocks::a_period_that_is_changed_begins_anew",
            "clocks::a_period_may_be_changed_ten_thousand_times",
            "actors/deadlines::a_period_that_is_changed_leaves_no_timer_behind",
        ]),
    ),
    row("F53", "all timers at once", Tests(&["clocks::many_nodes_that_report_every_ten_milliseconds_disturb_nobody"])),
    row("F54", "extreme ids", Tests(&["process/commands::every_number_is_an_id"])),
    row("F55", "creates of one id at once", Tests(&["process/commands::of_two_creates_of_one_id_one_succeeds"])),
    row(
        "F56",
        "create below a missing, dead, dying or stopped parent",
        Tests(&[
            "process/commands::a_create_below_a_parent_that_cannot_take_it_fails_and_leaves_no_process",
            "process/commands::a_create_below_a_dying_parent_has_one_of_two_outcomes",
            "process/crashes::a_death_in_the_middle_of_a_create_leaves_nothing_half_made",
        ]),
    ),
    row(
        "F57",
        "exec to an unknown, dead, cut off or stopped node",
        Tests(&["process/commands::an_exec_that_cannot_be_done_says_why"]),
    ),
    row(
        "F58",
        "a flood that nobody reads",
        Tests(&[
            "process/floods::a_flood_that_nobody_reads_waits_and_is_answered_at_last",
            "process/floods::a_flood_for_a_stopped_node_makes_the_source_wait",
        ]),
    ),
    row(
        "F59",
        "long requests, counts that lie, huge lines",
        Tests(&[
            "process/streams::a_sum_of_any_length_goes_through_processes_and_stays_in_none",
            "process/streams::a_count_that_lies_is_an_error_and_takes_no_memory",
            "process/streams::a_huge_line_is_one_error_and_takes_no_memory",
        ]),
    ),
    row(
        "F60",
        "many nodes",
        Tests(&[
            "process/scale::a_thousand_nodes_in_a_tree",
            "process/scale::a_chain_of_300_nodes",
            "process/scale::a_search_tree_of_sorted_inserts",
        ]),
    ),
    row("F61", "thousands of lives", Tests(&["process/scale::a_census_is_the_same_after_2000_lives"])),
    row("F62", "pairs of faults", Tests(&["process/pairs::two_faults_at_once_break_no_promise"])),
];

#[test]
fn every_fault_has_one_row() {
    let all: Vec<&str> = GROUPS.iter().flat_map(|(_, faults)| faults.iter().copied()).collect();
    let rows: Vec<&str> = TABLE.iter().map(|row| row.fault).collect();
    assert_eq!(rows, all);
    assert!(TABLE.iter().all(|row| !row.what.is_empty()));
}

#[test]
fn every_row_names_a_test_that_is_there_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for Row { fault, cover, .. } in &TABLE {
        match cover {
            Tests(tests) => {
                assert!(!tests.is_empty(), "{fault} has no test and no reason");
                for test in *tests {
                    assert!(is_there(root, test), "{fault}: there is no test {test}");
                }
            }
            Reason(reason) => assert!(reason.len() > 10, "{fault} has no reason"),
        }
    }
}

#[test]
fn a_test_that_is_not_there_is_seen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(is_there(root, "catalogue::a_test_that_is_not_there_is_seen"));
    for wrong in ["catalogue::is_there", "catalogue::a_test_that_is_not", "nowhere::a_test", "no_test"] {
        assert!(!is_there(root, wrong), "{wrong}");
    }
}

/// Whether `file::function` is a test: the function stands below `#[test]`, or in the list of a `main`.
fn is_there(root: &Path, test: &str) -> bool {
    let Some((file, function)) = test.rsplit_once("::") else { return false };
    let paths = ["tests", "src"].map(|folder| PathBuf::from(root).join(folder).join(format!("{file}.rs")));
    let texts = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.into_iter().any(|text| {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.starts_with(&format!("fn {function}(")));
        let is_marked = |at: usize| {
            lines[..at].iter().rev().take_while(|line| line.starts_with('#')).any(|&line| line == "#[test]")
        };
        at.is_some_and(is_marked) || at.is_some() && lines.contains(&format!("{function},").as_str())
    })
}
