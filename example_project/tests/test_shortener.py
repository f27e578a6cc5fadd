import pytest

from shortener import create_app, normalise
from shortener.staging import create_app as create_staging_app


@pytest.fixture
def client(tmp_path):
    return create_app(tmp_path / "links.sqlite3").test_client()


def shorten(client, url):
    return client.post("/api/links", json={"url": url})


def test_the_page_starts_empty(client):
    response = client.get("/")
    assert response.status_code == 200
    assert b"<form" in response.data
    assert b"<li>" not in response.data


def test_the_form_adds_a_link(client):
    response = client.post("/", data={"url": " https://example.org/a "}, follow_redirects=True)
    assert response.status_code == 200
    assert b": https://example.org/a (0)</li>" in response.data


def test_the_page_escapes_what_it_shows(client):
    shorten(client, "https://example.org/?q=a&b='c'")
    page = client.get("/").get_data(as_text=True)
    assert "?q=a&amp;b=&#39;c&#39;" in page
    response = client.post("/", data={"url": "<script>alert(1)</script>"})
    assert response.status_code == 400
    assert "<script>" not in response.get_data(as_text=True)


def test_a_short_link_redirects_and_is_counted(client):
    code = shorten(client, "https://example.org/long").get_json()["code"]
    response = client.get(f"/{code}")
    assert response.status_code == 302
    assert response.headers["Location"] == "https://example.org/long"
    assert client.get(f"/api/links/{code}").get_json()["hits"] == 1


def test_the_same_address_gets_the_same_code(client):
    first = shorten(client, "https://EXAMPLE.org").get_json()
    second = shorten(client, "https://example.org/").get_json()
    assert first == second == {"code": first["code"], "url": "https://example.org/", "hits": 0}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org/a b", "https://example.org/a%20b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example.org/a?q=ü#part", "https://example.org/a?q=%C3%BC#part"),
    ],
)
def test_addresses_are_normalised(given, stored):
    assert normalise(given) == stored


@pytest.mark.parametrize(
    "url",
    ["", None, "javascript:alert(1)", "https://", "https://user:word@example.org/", "http://*.org"],
)
def test_bad_addresses_are_refused(client, url):
    response = shorten(client, url)
    assert response.status_code == 400
    assert response.get_json()["error"]


def test_an_unknown_code_is_not_found(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/api/links/nothing").status_code == 404


def test_staging_shows_the_toolbar(tmp_path):
    page = create_staging_app(tmp_path / "links.sqlite3").test_client().get("/")
    assert b"flDebug" in page.data
