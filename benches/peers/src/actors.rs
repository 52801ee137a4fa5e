//! Actors in one process: tokio's channels with nothing around them, and ractor.

use std::io::{self, BufRead};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};
use tokio::sync::{mpsc, oneshot};

use crate::{Outcome, measure, say};

/// A task that answers what comes through a channel.
pub async fn channels() -> Outcome<()> {
    let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(64);
    tokio::spawn(async move {
        while let Some((number, answer)) = receiver.recv().await {
            let _ = answer.send(number);
        }
    });
    measure(async || {
        let (answer, answered) = oneshot::channel();
        sender.send((7, answer)).await?;
        assert_eq!(answered.await?, 7);
        Ok(())
    })
    .await
}

/// One question and its answer.
pub async fn ask() -> Outcome<()> {
    exchange_with(0).await
}

/// A number that goes down so many actors, hop by hop, and comes up again.
pub async fn chain(depth: usize) -> Outcome<()> {
    exchange_with(depth).await
}

async fn exchange_with(below: usize) -> Outcome<()> {
    let (mut top, _) = Actor::spawn(None, Link, None).await?;
    let mut all = vec![top.clone()];
    for _ in 0..below {
        (top, _) = Actor::spawn(None, Link, Some(top)).await?;
        all.push(top.clone());
    }
    for (child, parent) in all.iter().zip(&all[1..]) {
        child.cast(Message::Parent(parent.clone()))?;
    }
    measure(async || {
        assert_eq!(call!(top, Message::Down, 7)?, 7);
        Ok(())
    })
    .await
}

/// The memory of an actor that waits: answers the number of them with the bytes of one.
pub async fn bytes() -> Outcome<()> {
    for line in io::stdin().lock().lines() {
        let count: usize = line?.parse()?;
        let before = resident_bytes()?;
        let mut actors = Vec::with_capacity(count);
        for _ in 0..count {
            actors.push(Actor::spawn(None, Link, None).await?);
        }
        say((resident_bytes()? - before) as f64 / count as f64)?;
    }
    Ok(())
}

fn resident_bytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_ascii_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? * 1024)
}

enum Message {
    Parent(ActorRef<Message>),
    Down(u64, RpcReplyPort<u64>),
    Up(u64, RpcReplyPort<u64>),
}

struct Link;

struct Neighbours {
    above: Option<ActorRef<Message>>,
    below: Option<ActorRef<Message>>,
}

impl Actor for Link {
    type Msg = Message;
    type State = Neighbours;
    type Arguments = Option<ActorRef<Message>>;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        below: Option<ActorRef<Message>>,
    ) -> Result<Neighbours, ActorProcessingErr> {
        Ok(Neighbours { above: None, below })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut Neighbours,
    ) -> Result<(), ActorProcessingErr> {
        match (message, &state.above, &state.below) {
            (Message::Parent(parent), ..) => state.above = Some(parent),
            (Message::Down(number, answer), _, Some(below)) => below.cast(Message::Down(number, answer))?,
            (Message::Down(number, answer) | Message::Up(number, answer), Some(above), _) => {
                above.cast(Message::Up(number, answer))?;
            }
            (Message::Down(number, answer) | Message::Up(number, answer), None, _) => answer.send(number)?,
        }
        Ok(())
    }
}
