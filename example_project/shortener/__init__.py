"""A small link shortener: an HTML page, a JSON API and an SQLite file."""

import secrets
import sqlite3

import requests
from flask import Flask, abort, current_app, g, jsonify, redirect, render_template, request
from requests.utils import get_auth_from_url

SCHEMA = """CREATE TABLE IF NOT EXISTS links
    (code TEXT PRIMARY KEY, url TEXT UNIQUE, hits INTEGER DEFAULT 0)"""


def normalise(url):
    """Return the one spelling of a web address; raise ValueError for a bad one."""
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise ValueError("Only http:// and https:// addresses can be shortened")
    url = requests.Request("GET", url).prepare().url  # its errors are ValueErrors
    if any(get_auth_from_url(url)):
        raise ValueError("An address must not hold a user name or password")
    return url


def get_db():
    """Return this request's connection."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.execute(SCHEMA)
    return g.db


def close_db(error):
    if "db" in g:
        g.pop("db").close()


def add(url):
    """Store an address, unless it is there already, and return its row."""
    url = normalise(url)
    with get_db() as db:
        db.execute(
            "INSERT INTO links (code, url) VALUES (?, ?) ON CONFLICT (url) DO NOTHING",
            (secrets.token_urlsafe(6), url),
        )
        return db.execute("SELECT * FROM links WHERE url = ?", (url,)).fetchone()


def find(code):
    row = get_db().execute("SELECT * FROM links WHERE code = ?", (code,)).fetchone()
    return row or abort(404)


def page(error=None):
    links = get_db().execute("SELECT * FROM links ORDER BY rowid").fetchall()
    return render_template("index.html", links=links, error=error)


def create_app(database="links.sqlite3"):
    app = Flask(__name__)
    app.config["DATABASE"] = str(database)
    app.teardown_appcontext(close_db)

    @app.get("/")
    def index():
        return page()

    @app.post("/")
    def shorten():
        try:
            add(request.form["url"].strip())
        except ValueError as error:
            return page(str(error)), 400
        return redirect("/")

    @app.post("/api/links")
    def api_shorten():
        data = request.get_json()
        try:
            row = add(data.get("url") if isinstance(data, dict) else None)
        except ValueError as error:
            return jsonify(error=str(error)), 400
        return jsonify(dict(row)), 201

    @app.get("/api/links/<code>")
    def api_link(code):
        return jsonify(dict(find(code)))

    @app.get("/<code>")
    def follow(code):
        row = find(code)
        with get_db() as db:
            db.execute("UPDATE links SET hits = hits + 1 WHERE code = ?", (code,))
        return redirect(row["url"])

    return app
