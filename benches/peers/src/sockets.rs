//! Two processes that talk through the sockets of ZeroMQ, over a socket of the file system.

use std::process::{Child, Command};
use std::time::Duration;

use zeromq::{DealerSocket, RouterSocket, Socket, SocketRecv, SocketSend};

use crate::{Outcome, measure};

/// As many bytes as the messages of the other baselines have.
const MESSAGE: [u8; 64] = [7; 64];

struct Router(Child);

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks a process that it starts.
pub async fn dealer(path: &str) -> Outcome<()> {
    let _router = Router(Command::new(std::env::current_exe()?).args(["router", path]).spawn()?);
    while !std::path::Path::new(path).exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut socket = DealerSocket::new();
    socket.connect(&format!("ipc://{path}")).await?;
    measure(async || {
        socket.send(MESSAGE.to_vec().into()).await?;
        let answer = socket.recv().await?;
        assert_eq!(answer.get(0).map(|frame| frame.len()), Some(MESSAGE.len()));
        Ok(())
    })
    .await
}

/// Gives back what it gets.
pub async fn router(path: &str) -> Outcome<()> {
    let mut socket = RouterSocket::new();
    socket.bind(&format!("ipc://{path}")).await?;
    loop {
        let message = socket.recv().await?;
        socket.send(message).await?;
    }
}
