//! Links and frames: what comes over a link of a process, from peers that are wrong, slow, or cut off.
#![cfg(target_os = "linux")]

#[path = "links/census.rs"]
mod census;
#[path = "links/forwarders.rs"]
mod forwarders;
#[path = "links/harness.rs"]
mod harness;
#[path = "links/page.rs"]
mod page;
#[path = "common/sandbox.rs"]
mod sandbox;
#[path = "links/strangers.rs"]
mod strangers;
#[path = "links/system_calls.rs"]
mod system_calls;
#[path = "common/waiting.rs"]
mod waiting;
