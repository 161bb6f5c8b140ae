//! The HTTP side: one path, one method, one request a connection.
//!
//! Whoever connects here is nobody in particular, so everything about them is bounded: how many there are, how long each
//! may take, how long a request may be.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{exposition, render};
use crate::gateway::Gateway;
use crate::listen::serve_each;

const PATH: &str = "/metrics";
/// Scrapers at once; more wait to be heard.
const CONNECTIONS_MAX: usize = 16;
/// From the first byte of a connection to its end.
const CONNECTION: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(5);
/// A request's line and headers; the library allows no less.
const REQUEST_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;

/// Answers whoever asks, for ever.
pub(crate) async fn serve(listener: TcpListener, gateway: Arc<Gateway>) {
    let serve = |stream: TcpStream| {
        let served = timeout(CONNECTION, serve_one(stream, Arc::clone(&gateway)));
        async {
            let _ended = served.await;
        }
    };
    serve_each(&listener, CONNECTIONS_MAX, serve).await;
}

async fn serve_one(stream: TcpStream, gateway: Arc<Gateway>) {
    let service = service_fn(|request: Request<_>| ready(Ok::<_, Infallible>(respond(&request, &gateway))));
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(error = error.to_string(), "a request for metrics failed");
    }
}

fn respond<Body>(request: &Request<Body>, gateway: &Gateway) -> Response<String> {
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "only /metrics is served here\n");
    }
    if request.method() != Method::GET {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    let mut response = Response::new(render::render(gateway));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::CONTENT_TYPE));
    response
}

fn refused(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response
}
