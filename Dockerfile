# Two images, one build:
#   docker build --target auth-server -t keyturn/auth-server .
#   docker build --target resource-api -t keyturn/resource-api .
# Builder and runtime are of the same Debian release, or the programs would ask for a newer libc.
#
# Tags move: that brings Debian's and Rust's security updates with the next build, and means trusting the
# registry at every build. A digest written here would be true on one day and old from then on, unless
# something renews it. Where you have something that does, pin both, and build again when it renews them:
#   docker buildx imagetools inspect rust:1-bookworm --format '{{.Manifest.Digest}}'
#   docker build --build-arg RUST_IMAGE=rust:1-bookworm@sha256:… --build-arg DEBIAN_IMAGE=debian:bookworm-slim@sha256:… …
ARG RUST_IMAGE=rust:1-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS builder
WORKDIR /src
COPY . .
# The caches make a build after a changed line a matter of seconds to minutes; nothing in them gets into an
# image. postgres-tls is on here: a database elsewhere can be reached by sslmode=verify-full.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p auth-server -p resource-api --features auth-server/postgres-tls \
    && install -D -t /out target/release/auth-server target/release/resource-api

FROM ${DEBIAN_IMAGE} AS runtime
# For https to other services: auth-server's PostgreSQL, resource-api's feed.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Two users of one group. The group may read the ring in /keys; /data is auth-server's alone. A new volume
# takes over the owner of the folder that it is mounted on.
RUN groupadd --gid 10001 keyturn \
    && useradd --uid 10001 --gid keyturn --no-create-home --shell /usr/sbin/nologin auth-server \
    && useradd --uid 10002 --gid keyturn --no-create-home --shell /usr/sbin/nologin resource-api \
    && install -d -o auth-server -g keyturn -m 0750 /keys \
    && install -d -o auth-server -g keyturn -m 0700 /data
ENV JWT_KEYS_FILE=/keys/jwt-keys.json

FROM runtime AS auth-server
COPY --from=builder /out/auth-server /usr/local/bin/
COPY web/index.html web/style.css web/favicon.svg web/demo.js web/token-client.js /web/
COPY web/demo/ /web/demo/
ENV AUTH_LISTEN=0.0.0.0:5000 \
    DATABASE_URL=sqlite:///data/keyturn.db \
    REFRESH_KEYS_FILE=/data/refresh-keys.json \
    ID_KEYS_FILE=/data/id-keys.json
USER auth-server
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=4s --start-period=70s CMD ["auth-server", "healthcheck"]
ENTRYPOINT ["auth-server"]

FROM runtime AS resource-api
COPY --from=builder /out/resource-api /usr/local/bin/
ENV RESOURCE_LISTEN=0.0.0.0:5001
USER resource-api
EXPOSE 5001
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s CMD ["resource-api", "healthcheck"]
ENTRYPOINT ["resource-api"]
