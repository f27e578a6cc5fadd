"""A text full of what Markdown and HTML would not take for text, and the same text escaped."""

from __future__ import annotations

MARKS = "`a` [b](https://h.invalid) ![c](d) *e* __f__ @g/h <img src=i> |j| \\ ~~k~~ &lt; \nl"
ESCAPED = (
    r"\`a\` \[b\](https://h.invalid) \!\[c\](d) \*e\* \_\_f\_\_ "
    r"&#64;&#8203;g/h &lt;img src=i&gt; "
    r"\|j\| \\ \~\~k\~\~ &amp;lt;  l"
)
