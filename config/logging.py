"""Structured logs on standard error, redacted; the libraries' own lines go the same way."""

import contextlib
import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from config.redaction import redact

LogFormat = Literal["console", "json"]

_OURS = "claimcast"

# These come with handlers or levels of their own, or print job arguments, URLs or whole
# dialogues below WARNING.
_LIBRARIES = [
    "arq",
    "aiosmtplib",
    "asyncio",
    "httpcore",
    "httpx",
    "mail.debug",
    "mail.error",
    "mail.log",
    "twilio",
    "twilio.http_client",
    "urllib3",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.asgi",
    "uvicorn.error",
]

_CHAIN: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    # Here and not in the renderer: redaction must see the text, and rich would show locals.
    structlog.processors.format_exc_info,
    redact,
]


def configure_logging(log_format: LogFormat | None = None, stream: TextIO | None = None) -> None:
    """
    Send all logs to *stream* (standard error); may be called again; the last call counts.

    Without a format it is console on a terminal, else JSON: one object per line, with UTC
    times. Start uvicorn with `log_config=None`, or it replaces this for its own loggers.
    """
    stream = stream or sys.stderr
    structlog.configure(
        processors=[*_CHAIN, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: logging.getLogger(_OURS),
        cache_logger_on_first_use=False,
    )
    logging.getLogger(_OURS).setLevel(logging.INFO)
    _install(_handler(log_format or ("console" if stream.isatty() else "json"), stream))
    for name in _LIBRARIES:
        _reroute(logging.getLogger(name))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a line is lost; the standard report would print its arguments."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"a log line of {record.name} could not be written\n")


def _handler(log_format: LogFormat, stream: TextIO) -> logging.Handler:
    handler = _Handler(stream)
    handler.name = _OURS
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_CHAIN],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                _renderer(log_format, colors=stream.isatty()),
            ],
        )
    )
    return handler


def _renderer(log_format: LogFormat, *, colors: bool) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


def _install(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.handlers = [*(old for old in root.handlers if old.name != _OURS), handler]
    root.setLevel(logging.WARNING)


def _reroute(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.setLevel(logging.WARNING)
    logger.propagate = True
