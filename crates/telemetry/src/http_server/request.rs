//! What the SERVER span says about a request before its handler runs.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath};
use http::header::{HOST, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Uri, Version};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_semantic_conventions::attribute;

/// The longest client-made method name that is kept in `http.request.method_original`.
const ORIGINAL_METHOD_LIMIT: usize = 32;

/// The method as the conventions want it: a name they know, or `_OTHER`.
///
/// The list is that of RFC 9110 and `PATCH`. A name made up by a client must not become a
/// span name or a metric attribute.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "CONNECT" => "CONNECT",
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        "TRACE" => "TRACE",
        _ => OTHER_METHOD,
    }
}

pub(crate) const OTHER_METHOD: &str = "_OTHER";

/// The first word of the span name: the method, or `HTTP` for one that is not known.
pub(crate) fn name_of_method(known: &'static str) -> &'static str {
    if known == OTHER_METHOD { "HTTP" } else { known }
}

/// `network.protocol.version` as the conventions spell it.
pub(crate) fn protocol_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// Keeps the names in a query and hides every value.
///
/// The conventions name five parameters that must be hidden. A list of secrets is never
/// complete, so here nothing a client typed after an equals sign leaves the process; a part
/// without one is hidden whole.
pub(crate) fn masked_query(query: &str) -> String {
    let mut masked = String::with_capacity(query.len());
    for (nth, pair) in query.split('&').enumerate() {
        if nth > 0 {
            masked.push('&');
        }
        if let Some((name, _value)) = pair.split_once('=') {
            masked.push_str(name);
            masked.push('=');
        }
        masked.push_str("REDACTED");
    }
    masked
}

/// The attributes known when the request arrives.
pub(crate) fn attributes<B>(request: &Request<B>, method: &'static str) -> Vec<KeyValue> {
    let uri = request.uri();
    let mut attributes = Vec::with_capacity(16);
    attributes.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, method));
    if method == OTHER_METHOD {
        let original: String = request
            .method()
            .as_str()
            .chars()
            .take(ORIGINAL_METHOD_LIMIT)
            .collect();
        attributes.push(KeyValue::new(
            attribute::HTTP_REQUEST_METHOD_ORIGINAL,
            original,
        ));
    }
    attributes.push(KeyValue::new(attribute::URL_SCHEME, scheme(uri)));
    attributes.push(KeyValue::new(attribute::URL_PATH, uri.path().to_owned()));
    if let Some(query) = uri.query() {
        attributes.push(KeyValue::new(attribute::URL_QUERY, masked_query(query)));
    }
    if let Some(route) = route(request) {
        attributes.push(KeyValue::new(attribute::HTTP_ROUTE, route.to_owned()));
    }
    if let Some(agent) = text(request.headers(), &USER_AGENT) {
        attributes.push(KeyValue::new(
            attribute::USER_AGENT_ORIGINAL,
            agent.to_owned(),
        ));
    }
    if let Some(version) = protocol_version(request.version()) {
        attributes.push(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, version));
    }
    addresses(request, &mut attributes);
    attributes
}

/// Where the request was sent to and where it came from.
///
/// Only what the socket says is believed: `X-Forwarded-For` and `Forwarded` can be typed by
/// anyone, so `client.address` is the address of the peer.
pub(crate) fn addresses<B>(request: &Request<B>, attributes: &mut Vec<KeyValue>) {
    if let Some(authority) = authority(request) {
        attributes.push(KeyValue::new(
            attribute::SERVER_ADDRESS,
            bare_host(authority.host()).to_owned(),
        ));
        if let Some(port) = authority.port_u16() {
            attributes.push(KeyValue::new(attribute::SERVER_PORT, i64::from(port)));
        }
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address = Value::String(StringValue::from(peer.ip().to_string()));
        attributes.push(KeyValue::new(attribute::CLIENT_ADDRESS, address.clone()));
        attributes.push(KeyValue::new(attribute::NETWORK_PEER_ADDRESS, address));
        attributes.push(KeyValue::new(
            attribute::NETWORK_PEER_PORT,
            i64::from(peer.port()),
        ));
    }
}

/// The route that axum matched, such as `/orders/{id}`.
pub(crate) fn route<B>(request: &Request<B>) -> Option<&str> {
    request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
}

/// A host without the brackets that a URL puts around an IPv6 address.
pub(crate) fn bare_host(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// `http` unless the request line says otherwise: TLS ends in front of these services.
pub(crate) fn scheme(uri: &Uri) -> &'static str {
    if uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
        "https"
    } else {
        "http"
    }
}

fn authority<B>(request: &Request<B>) -> Option<Authority> {
    match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => text(request.headers(), &HOST)?.parse().ok(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_its_names_and_loses_every_value() {
        let masked = masked_query("tenant=small&token=tok_visa&=x&4111111111111111&flag=");

        assert_eq!(
            masked,
            "tenant=REDACTED&token=REDACTED&=REDACTED&REDACTED&flag=REDACTED"
        );
    }

    #[test]
    fn a_method_nobody_knows_is_other() {
        let made_up = Method::from_bytes(b"BREW").expect("a valid token");

        assert_eq!(known_method(&made_up), "_OTHER");
        assert_eq!(name_of_method(known_method(&made_up)), "HTTP");
        assert_eq!(name_of_method(known_method(&Method::GET)), "GET");
    }

    #[test]
    fn an_ipv6_address_loses_its_brackets() {
        assert_eq!(bare_host("[::1]"), "::1");
        assert_eq!(bare_host("shop.test"), "shop.test");
    }

    #[test]
    fn a_host_header_that_is_not_an_authority_is_left_out() {
        let request = Request::builder()
            .uri("/")
            .header(HOST, "not a host")
            .body(())
            .expect("a valid request");
        let mut attributes = Vec::new();

        addresses(&request, &mut attributes);

        assert!(attributes.is_empty());
    }
}
