use axum::body::Body;
use axum::routing::{get, post};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2 as client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;

const LIMITS: Limits = Limits {
    connections_max: 10,
    connections_per_address_max: 10,
    unread: Duration::from_mins(1),
    drain: Duration::from_secs(5),
};

/// A server that says who calls, and gives back what it gets.
async fn start() -> (SocketAddr, Shutdown, JoinHandle<()>) {
    serve(Listener::bind("127.0.0.1", 0).await.unwrap())
}

fn serve(listener: Listener) -> (SocketAddr, Shutdown, JoinHandle<()>) {
    let who = async |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>| {
        format!("{} {:?}", peer.ip(), request.version())
    };
    let router = Router::new()
        .route("/who", get(who))
        .route("/echo", post(async |body: Body| body));
    let (address, stop) = (listener.address(), Shutdown::new());
    let serving = tokio::spawn(listener.serve(router, LIMITS, stop.clone()));
    (address, stop, serving)
}

async fn http2_client(
    address: SocketAddr,
) -> (
    client::SendRequest<Full<bytes::Bytes>>,
    JoinHandle<hyper::Result<()>>,
) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = client::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Request<Full<bytes::Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .body(body.to_owned().into())
        .unwrap()
}

#[tokio::test]
async fn one_port_speaks_both_versions() {
    let (address, stop, serving) = start().await;
    let (sender, connection) = http2_client(address).await;
    // Many requests of one connection at once.
    let answers = (0..STREAMS_MAX + 20).map(|number| {
        let mut sender = sender.clone();
        async move {
            let body = number.to_string();
            let answer = sender.send_request(request(address, "POST", "/echo", &body));
            let answer = answer.await.unwrap().into_body().collect().await.unwrap();
            assert_eq!(answer.to_bytes(), body);
        }
    });
    futures::future::join_all(answers).await;
    let mut who = sender.clone();
    let answer = who
        .send_request(request(address, "GET", "/who", ""))
        .await
        .unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "127.0.0.1 HTTP/2.0");

    let mut stream = TcpStream::connect(address).await.unwrap();
    // The beginning of a word that both versions know.
    stream.write_all(b"P").await.unwrap();
    tokio::time::sleep(PREFACE_PAUSE).await;
    let rest = b"OST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
    stream.write_all(rest).await.unwrap();
    let mut text = vec![0; 15];
    stream.read_exact(&mut text).await.unwrap();
    assert_eq!(text, b"HTTP/1.1 200 OK");

    // Idle connections of both versions don't hold the shutdown back.
    stop.begin();
    tokio::time::timeout(LIMITS.drain, serving)
        .await
        .unwrap()
        .unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_sends_nothing_more_gets_its_response() {
    let listener = Listener::bind("127.0.0.1", 0).await.unwrap();
    let mut client = TcpStream::connect(listener.address()).await.unwrap();
    let request = b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n";
    client.write_all(request).await.unwrap();
    client.shutdown().await.unwrap();
    // The end of what it sends is there before the request is read.
    let (_, stop, serving) = serve(listener);
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    stop.begin();
    serving.await.unwrap();
}

#[tokio::test]
async fn connections_that_say_nothing_end_with_the_server() {
    let (address, stop, serving) = start().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&HTTP2_PREFACE[..10]).await.unwrap();
    stop.begin();
    tokio::time::timeout(LIMITS.drain, serving)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    let _ = half.read(&mut [0]).await;
}
