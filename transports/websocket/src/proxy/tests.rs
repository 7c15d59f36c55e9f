use super::*;

fn environment(variables: &'static [(&'static str, &'static str)]) -> Environment {
    Environment::of(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// The proxy that leads to an endpoint, or none, or why not.
fn led(environment: &Environment, to: &str) -> String {
    match environment.lead_to(&to.parse().expect("an endpoint")) {
        Ok(proxy) => proxy.map_or("none".to_owned(), |proxy| proxy.to_string()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_usual_variables_name_proxies() {
    let each = environment(&[
        ("https_proxy", "http://one:3128"),
        ("HTTPS_PROXY", "http://shouted:3128"),
        ("HTTP_PROXY", "two:80"),
        ("ALL_PROXY", "https://three"),
    ]);
    assert_eq!(led(&each, "wss://example.com"), "http://one:3128");
    assert_eq!(led(&each, "ws://example.com"), "http://two:80");
    assert_eq!(led(&each, "wss://localhost:8743"), "none");
    assert_eq!(led(&each, "ws://[::1]:8743"), "none");
    let all = environment(&[("ALL_PROXY", "https://three"), ("HTTPS_PROXY", " ")]);
    assert_eq!(led(&all, "wss://example.com"), "https://three:443");
    assert_eq!(led(&all, "ws://example.com"), "https://three:443");
    assert_eq!(led(&environment(&[]), "wss://example.com"), "none");
    let cgi = environment(&[("HTTP_PROXY", "http://a.stranger"), ("REQUEST_METHOD", "GET")]);
    assert_eq!(led(&cgi, "ws://example.com"), "none");
}

#[test]
fn a_proxy_that_cannot_be_read_fails_what_it_is_for() {
    let bad = environment(&[("https_proxy", "socks5://me:secret@one:1080")]);
    assert_eq!(
        led(&bad, "wss://example.com"),
        "proxy_refused: the environment variable https_proxy: `socks5` is no proxy that is known here; \
         known: http, https"
    );
    assert_eq!(led(&bad, "ws://example.com"), "none");
    assert_eq!(led(&bad, "wss://127.0.0.1"), "none");
}

#[test]
fn no_proxy_lists_what_is_reached_without() {
    let except = environment(&[
        ("all_proxy", "http://one"),
        (
            "NO_PROXY",
            "example.com, .example.org,*.example.net,192.0.2.7,10.0.0.0/8,2001:db8::/32,[2001:db9::1],2001:dba::1,only:8743,[2001:dbb::1]:8743",
        ),
    ]);
    for directly in [
        "ws://example.com",
        "ws://EXAMPLE.com",
        "ws://a.b.example.com",
        "ws://a.example.org",
        "ws://a.example.net",
        "ws://192.0.2.7",
        "ws://10.255.0.1",
        "ws://[2001:db8::1]",
        "ws://[2001:db9::1]",
        "ws://[2001:dba::1]:99",
        "ws://[2001:dbb::1]:8743",
        "ws://only:8743",
    ] {
        assert_eq!(led(&except, directly), "none", "{directly}");
    }
    for by_proxy in [
        "ws://notexample.com",
        "ws://192.0.2.70",
        "ws://11.0.0.1",
        "ws://[2001:db9::2]",
        "ws://[2001:dbb::1]:8744",
        "ws://1.192.0.2",
        "ws://only:8744",
        "ws://example.com.evil.test",
    ] {
        assert_eq!(led(&except, by_proxy), "http://one:80", "{by_proxy}");
    }
    let never = environment(&[("all_proxy", "http://one"), ("no_proxy", "*")]);
    assert_eq!(led(&never, "wss://example.com"), "none");
    assert!(is_within([10, 0, 0, 1].into(), [11, 0, 0, 0].into(), 0));
    assert!(!is_within([10, 0, 0, 1].into(), [10, 0, 0, 0].into(), 99));
}

#[test]
fn a_proxy_is_read_from_its_url_and_keeps_its_password_to_itself() {
    let read = |text: &str| text.parse::<Proxy>().map(|proxy| proxy.to_string());
    assert_eq!(read("proxy:3128").as_deref(), Ok("http://proxy:3128"));
    assert_eq!(read("HTTPS://proxy/").as_deref(), Ok("https://proxy:443"));
    assert_eq!(read("http://[::1]:3128").as_deref(), Ok("http://[::1]:3128"));
    assert_eq!(read("http://proxy/path"), Err(ProxyError::Path));
    assert_eq!(read("http://a%4@proxy"), Err(ProxyError::Credentials));
    assert_eq!(read("http://a:%zz@proxy"), Err(ProxyError::Credentials));
    assert!(matches!(read("ftp://proxy"), Err(ProxyError::Scheme { .. })));
    let error = read("http://me:secret@").expect_err("no host").to_string();
    assert!(error.starts_with("the proxy's address: ") && !error.contains("secret"), "{error}");
    let proxy: Proxy = "http://me:secret@proxy:1".parse().expect("a proxy");
    assert!(!format!("{proxy:?}").contains("secret"));
    assert_eq!(proxy.credentials.as_deref(), Some("Basic bWU6c2VjcmV0"));
    let open: Proxy = "http://proxy:1".parse().expect("a proxy");
    assert_eq!(open.credentials, None);
}
