"""The app as staging runs it: with a toolbar that shows what made a page, and how long it took."""

import secrets

from flask_debugtoolbar import DebugToolbarExtension

from shortener import create_app as create_plain_app

PANELS = ["timer.TimerDebugPanel", "headers.HeaderDebugPanel", "template.TemplateDebugPanel"]


def create_app(database="links.sqlite3"):
    app = create_plain_app(database)
    app.config.update(
        SECRET_KEY=secrets.token_hex(),
        DEBUG_TB_ENABLED=True,
        DEBUG_TB_PANELS=[f"flask_debugtoolbar.panels.{panel}" for panel in PANELS],
    )
    DebugToolbarExtension(app)
    return app
