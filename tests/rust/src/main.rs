// SPDX-License-Identifier: BSD-3-Clause
//! Starts kernels as the Rust crate jupyter-zmq-client does, over tcp and ipc, and uses them: its parser refuses every message
//! that is not exactly what the protocol says, on every socket.
//!
//!     adrastea-rust-client KERNEL...
//!
//! Status 0 when each kernel said and did over both transports what it should.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use jupyter_protocol::connection_info::{ConnectionInfo, Transport};
use jupyter_protocol::{
    CommInfoRequest, CompleteRequest, ExecuteRequest, ExecutionState, HistoryRequest, InspectRequest, InterruptRequest,
    IsCompleteRequest, JupyterMessage, JupyterMessageContent as Content, KernelInfoRequest, ReplyStatus, ShutdownRequest, Stdio as Stream,
};
use jupyter_zmq_client as client;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// Ends what hangs; nothing here takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Launched {
    info: ConnectionInfo,
    directory: PathBuf,
    process: Child,
}

/// The crate has nothing for port 0: over tcp the launcher chooses ports that are free now, as it does for every kernel.
async fn connection(kernel: &str, transport: &Transport, directory: &Path) -> Result<ConnectionInfo> {
    let (ip, ports) = match transport {
        Transport::TCP => {
            let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
            (ip.to_string(), client::peek_ports(ip, 5).await?)
        }
        Transport::IPC => (directory.join("k").display().to_string(), vec![1, 2, 3, 4, 5]),
    };
    Ok(ConnectionInfo {
        transport: transport.clone(),
        ip,
        shell_port: ports[0],
        iopub_port: ports[1],
        stdin_port: ports[2],
        control_port: ports[3],
        hb_port: ports[4],
        key: uuid::Uuid::new_v4().to_string(),
        signature_scheme: "hmac-sha256".to_string(),
        kernel_name: Some(kernel.to_string()),
    })
}

/// It holds the key.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

async fn launch(kernel: &str, transport: &Transport) -> Result<Launched> {
    // Short: an ipc address is a path of at most 107 bytes.
    let directory = PathBuf::from(format!("/tmp/adr-{}", &uuid::Uuid::new_v4().to_string()[..8]));
    std::fs::create_dir(&directory)?;
    let info = connection(kernel, transport, &directory).await?;
    let file = directory.join("connection.json");
    write_private(&file, &serde_json::to_string(&info)?)?;
    let spec = client::find_kernelspec(kernel).await?;
    let process = spec.command(&file, Some(Stdio::inherit()), None)?.kill_on_drop(true).spawn()?;
    Ok(Launched { info, directory, process })
}

/// The crate's sockets do not wait for a kernel that is still on its way.
async fn until_it_listens(launched: &mut Launched, session: &str) -> Result<client::ClientIoPubConnection> {
    loop {
        if let Some(status) = launched.process.try_wait()? {
            bail!("the kernel ended with {status}");
        }
        match client::create_client_iopub_connection(&launched.info, "", session).await {
            Ok(iopub) => return Ok(iopub),
            Err(_) => sleep(Duration::from_millis(5)).await, // polled: the endpoint
        }
    }
}

struct Session {
    shell: client::ClientShellConnection,
    control: client::ClientControlConnection,
    iopub: client::ClientIoPubConnection,
}

impl Session {
    async fn open(launched: &mut Launched) -> Result<Self> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut iopub = until_it_listens(launched, &id).await?;
        let welcome = client::wait_for_iopub_welcome(&mut iopub, PATIENCE).await?;
        ensure!(welcome.as_deref() == Some(""), "no iopub_welcome but {welcome:?}");
        let identity = client::peer_identity_for_session(&id)?;
        let shell = client::create_client_shell_connection_with_identity(&launched.info, &id, identity).await?;
        let control = client::create_client_control_connection(&launched.info, &id).await?;
        Ok(Self { shell, control, iopub })
    }

    /// The one reply on shell, and what the request published, in order.
    async fn ask(&mut self, request: impl Into<JupyterMessage>) -> Result<(Content, Vec<Content>)> {
        let request: JupyterMessage = request.into();
        let id = request.header.msg_id.clone();
        self.shell.send(request).await?;
        let reply = self.shell.read().await?;
        ensure!(parent(&reply) == id, "a reply to another request: {reply:?}");
        let published = self.published_by(&id).await?;
        Ok((reply.content, published))
    }

    async fn published_by(&mut self, id: &str) -> Result<Vec<Content>> {
        let mut published = Vec::new();
        loop {
            let message = self.iopub.read().await?;
            if parent(&message) != id {
                continue;
            }
            published.push(message.content);
            if matches!(published.last(), Some(Content::Status(status)) if status.execution_state == ExecutionState::Idle) {
                return Ok(published);
            }
        }
    }

    async fn ask_control(&mut self, request: impl Into<JupyterMessage>) -> Result<Content> {
        self.control.send(request.into()).await?;
        Ok(self.control.read().await?.content)
    }
}

fn parent(message: &JupyterMessage) -> &str {
    message.parent_header.as_ref().map_or("", |header| header.msg_id.as_str())
}

fn types(published: &[Content]) -> Vec<&str> {
    published.iter().map(Content::message_type).collect()
}

async fn executes(session: &mut Session) -> Result<()> {
    let (reply, published) = session.ask(ExecuteRequest::new("print('hello')".to_string())).await?;
    let Content::ExecuteReply(reply) = reply else { bail!("{reply:?}") };
    ensure!(reply.status == ReplyStatus::Ok, "{reply:?}");
    ensure!(types(&published) == ["status", "execute_input", "stream", "status"], "{published:?}");
    let Content::StreamContent(stream) = &published[2] else { bail!("{published:?}") };
    ensure!(matches!(stream.name, Stream::Stdout) && stream.text.contains("hello"), "{stream:?}");
    Ok(())
}

/// What only a language can do.
async fn fails_and_shows(session: &mut Session) -> Result<()> {
    let (reply, published) = session.ask(ExecuteRequest::new("error('on purpose')".to_string())).await?;
    let Content::ExecuteReply(reply) = reply else { bail!("{reply:?}") };
    ensure!(reply.status == ReplyStatus::Error, "{reply:?}");
    ensure!(types(&published) == ["status", "execute_input", "error", "status"], "{published:?}");
    let (_, published) = session.ask(ExecuteRequest::new("({1, 2, x = 3})".to_string())).await?;
    ensure!(types(&published) == ["status", "execute_input", "execute_result", "status"], "{published:?}");
    Ok(())
}

/// Each request with the type of its reply; the content has passed the crate's parser.
async fn answers_the_rest(session: &mut Session) -> Result<()> {
    let code = "print".to_string();
    let requests: Vec<(JupyterMessage, &str)> = vec![
        (KernelInfoRequest {}.into(), "kernel_info_reply"),
        (CompleteRequest { code: code.clone(), cursor_pos: 3 }.into(), "complete_reply"),
        (InspectRequest { code: code.clone(), cursor_pos: 3, detail_level: Some(0) }.into(), "inspect_reply"),
        (IsCompleteRequest { code }.into(), "is_complete_reply"),
        (HistoryRequest::Tail { n: 3, output: false, raw: true }.into(), "history_reply"),
        (CommInfoRequest { target_name: None }.into(), "comm_info_reply"),
    ];
    for (request, expected) in requests {
        let (reply, published) = session.ask(request).await?;
        ensure!(reply.message_type() == expected, "{reply:?} instead of {expected}");
        ensure!(types(&published) == ["status", "status"], "{published:?}");
    }
    let reply = session.ask_control(InterruptRequest {}).await?;
    ensure!(reply.message_type() == "interrupt_reply", "{reply:?}");
    Ok(())
}

/// By a shutdown_request on shell, as nteract's launcher sends it.
async fn ends(session: &mut Session, launched: &mut Launched) -> Result<()> {
    let reply = session.ask(ShutdownRequest { restart: false }).await?.0;
    ensure!(matches!(&reply, Content::ShutdownReply(reply) if !reply.restart), "{reply:?}");
    let status = launched.process.wait().await?;
    ensure!(status.success(), "the kernel ended with {status}");
    let left: Vec<_> = std::fs::read_dir(&launched.directory)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    ensure!(left == ["connection.json"], "left behind: {left:?}");
    Ok(())
}

async fn use_kernel(kernel: &str, launched: &mut Launched) -> Result<()> {
    let mut session = Session::open(launched).await.context("start")?;
    executes(&mut session).await.context("execute")?;
    if kernel == "lua" {
        fails_and_shows(&mut session).await.context("errors and results")?;
    }
    answers_the_rest(&mut session).await.context("the other requests")?;
    let mut heartbeat = client::create_client_heartbeat_connection(&launched.info).await?;
    heartbeat.single_heartbeat().await.context("heartbeat")?;
    ends(&mut session, launched).await.context("shutdown")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let kernels: Vec<String> = std::env::args().skip(1).collect();
    ensure!(!kernels.is_empty(), "usage: adrastea-rust-client KERNEL...");
    for kernel in &kernels {
        for (transport, name) in [(Transport::TCP, "tcp"), (Transport::IPC, "ipc")] {
            let mut launched = launch(kernel, &transport).await?;
            let outcome = timeout(PATIENCE, use_kernel(kernel, &mut launched)).await;
            let _ = std::fs::remove_dir_all(&launched.directory);
            outcome.with_context(|| format!("{kernel} over {name}: hangs"))?.with_context(|| format!("{kernel} over {name}"))?;
            println!("rust client: {kernel} over {name} does all that was asked");
        }
    }
    Ok(())
}
