# The images of Nightshift. The targets `api` and `consumer` share every layer; they differ in role and ports.
#
#   docker build --target api      --build-arg COMMIT=$(git rev-parse HEAD) -t nightshift-api .
#   docker build --target consumer --build-arg COMMIT=$(git rev-parse HEAD) -t nightshift-consumer .
#
# docs/images.md tells what is in them and how they are checked.

# The version is that of scripts/bootstrap.sh. The digest is that of the index, so it holds for every architecture.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim@sha256:d6aa754f16b3197301076f047b5def2f02ea1dbbc2ca920407d46d7ec7f87b20

# --- The packages of package-lock.json that run, without those that test.
FROM ${NODE_IMAGE} AS packages
WORKDIR /packages
COPY package.json package-lock.json ./
COPY sdk/node/package.json sdk/node/
COPY packs/conversation/package.json packs/conversation/
COPY packs/trial/package.json packs/trial/
# The secret `ca` names further authorities, for a network whose proxy opens TLS; it stays out of every layer.
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
 # Types, source maps and texts are read by people and editors only. Licences stay.
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \
      -o -iname 'readme*' -o -iname 'changelog*' -o -iname 'history.md' \) -delete \
 && find node_modules -type d -empty -delete

# --- The source, which Node runs as it is, and the name of this build.
FROM ${NODE_IMAGE} AS source
WORKDIR /nightshift
COPY package.json LICENSE ./
COPY src src
COPY sdk sdk
COPY packs packs
# Whoever built it, in whatever umask: everybody reads it, nobody but root writes it.
RUN chmod -R u=rwX,go=rX . && chmod 755 src/main.ts
ARG COMMIT=unknown
RUN printf '{ "commit": "%s" }\n' "$COMMIT" >build.json

# --- The published base without what only builds need: npm, corepack, yarn, the headers of Node.
FROM ${NODE_IMAGE} AS system
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/share/doc /usr/local/share/man /opt/yarn* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
      /usr/local/bin/nodejs /usr/local/bin/docker-entrypoint.sh /usr/local/*.md \
      /root/.npm /tmp/* /var/cache/apt /var/lib/apt/lists /var/log/* \
 # No program may gain rights by its file mode.
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && echo 'nightshift:x:10001:' >>/etc/group \
 && echo 'nightshift:x:10001:10001::/nightshift:/usr/sbin/nologin' >>/etc/passwd \
 # For operators: `kubectl exec POD -- nightshift --help`.
 && ln -s /nightshift/src/main.ts /usr/local/bin/nightshift

# --- Put together from nothing, so that no layer below still holds what was removed.
FROM scratch AS runtime
COPY --from=system / /
COPY --from=packages /packages/node_modules /nightshift/node_modules
COPY --from=source /nightshift /nightshift
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    NIGHTSHIFT_PACKS=conversation
WORKDIR /nightshift
USER 10001:10001
# Node is process 1 and handles SIGTERM itself: no shell, no npm and no init stands between it and the signal.
ENTRYPOINT ["node", "/nightshift/src/main.ts"]
ARG VERSION=0.1.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/node:24.21.0-bookworm-slim"

FROM runtime AS consumer
LABEL org.opencontainers.image.title="nightshift-consumer" \
      org.opencontainers.image.description="Runs the tasks of Nightshift"
# Metrics and health.
EXPOSE 9090
CMD ["consumer"]

FROM runtime AS api
LABEL org.opencontainers.image.title="nightshift-api" \
      org.opencontainers.image.description="Accepts the tasks of Nightshift and tells what became of them"
# The API; metrics and health.
EXPOSE 8080 9090
CMD ["api"]
