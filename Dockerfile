# A worker, and the command claimcast. Settings come by environment: see .env.example.

FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

COPY requirements/build.txt requirements/runtime.txt /requirements/
RUN pip install --require-hashes --requirement /requirements/build.txt \
    --requirement /requirements/runtime.txt

WORKDIR /app
COPY pyproject.toml README.md ./
COPY config/ config/
COPY pipeline/ pipeline/
COPY channels/ channels/
COPY worker/ worker/
COPY sandbox/ sandbox/
# Editable: the command claimcast and a version, while the code stays in /app alone.
RUN pip install --no-deps --no-build-isolation --editable .

FROM python:3.12-slim

RUN groupadd --gid 10001 claimcast \
    && useradd --uid 10001 --gid claimcast --no-create-home --shell /usr/sbin/nologin claimcast
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

WORKDIR /app
# PYTHONPATH comes before site-packages: no package can put itself in front of our folders.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER claimcast

# Healthy: this worker has signed on in Redis within the last 15 seconds, three heartbeats.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import os, socket, sys, redis; r = redis.Redis.from_url(os.environ['CLAIMCAST_REDIS__URL'], socket_timeout=5); me = socket.gethostname().encode() + b'-'; alive = r.zrangebyscore('cc:workers', r.time()[0] - 15, '+inf'); sys.exit(not any(name.startswith(me) for name in alive))"]

CMD ["python", "-m", "worker"]
