use super::*;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::{get, post};
use gnocchi_core::Shutdown;
use http::StatusCode;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::listener::{self, Listener};

/// A server that refuses what is posted without a look at it.
async fn start() -> (SocketAddr, Shutdown) {
    let refuse = async || StatusCode::UNAUTHORIZED;
    let router = Router::new()
        .route("/refuse", post(refuse))
        .route("/ok", get(async || "fine"));
    let listener = Listener::bind("127.0.0.1", 0).await.unwrap();
    let (address, stop) = (listener.address(), Shutdown::new());
    let limits = listener::Limits {
        connections_max: 10,
        connections_per_address_max: 10,
        unread: std::time::Duration::from_mins(1),
        drain: std::time::Duration::from_secs(5),
    };
    tokio::spawn(listener.serve(router, limits, stop.clone()));
    (address, stop)
}

/// Sends everything before anything is read, as simple clients do.
async fn send(stream: &mut TcpStream, head: &str, body_bytes: usize) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    let piece = vec![b'x'; 64 << 10];
    let mut left = body_bytes;
    while left > 0 {
        let length = left.min(piece.len());
        stream.write_all(&piece[..length]).await?;
        left -= length;
    }
    Ok(())
}

/// Reads the head of a response.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

fn post_head(body_bytes: usize) -> String {
    format!("POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: {body_bytes}\r\n\r\n")
}

#[tokio::test]
async fn a_refused_client_gets_the_response_and_goes_on() {
    let (address, stop) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for body_bytes in [0, 1, 100_000, 10 << 20] {
        send(&mut stream, &post_head(body_bytes), body_bytes)
            .await
            .unwrap();
        let response = head(&mut stream).await;
        assert!(
            response.starts_with("HTTP/1.1 401 "),
            "{body_bytes}: {response}"
        );
    }
    stream
        .write_all(b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    stop.begin();
}

#[tokio::test]
async fn a_body_that_is_far_too_long_is_cut_off_after_the_response() {
    let (address, stop) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Announced, and only begun: the response comes at once, and what is on its way does no harm.
    send(&mut stream, &post_head(1 << 40), 5 << 20)
        .await
        .unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 401 "));
    stop.begin();
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered() {
    let (address, stop) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head_begins = "GET /ok HTTP/1.1\r\nHost: h\r\nX-Long: ";
    send(&mut stream, head_begins, 2 << 20).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 431 "));
    stop.begin();
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_asked_to_send() {
    let (address, stop) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asking =
        "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    send(&mut stream, asking, 0).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 401 "));
    stop.begin();
}

/// Here a stream that ends early has a code of its own, and the connection goes on in any case.
#[tokio::test]
async fn a_refused_stream_of_http2_gets_the_response_too() {
    let (address, stop) = start().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::post(format!("http://{address}/refuse"));
        let request = request
            .body(Full::<Bytes>::from(vec![b'x'; 5 << 20]))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    stop.begin();
}
