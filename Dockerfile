# The control plane, the agent and the operator's verbs in one image: docker build -t portcullis:0.1.0 .
# Nothing is built: Node runs the TypeScript as it is. Pin both by digest where you build (--build-arg NODE=26.10.0@sha256:...).
ARG NODE=26
ARG NODE_SLIM=26-slim

FROM node:${NODE} AS dependencies
WORKDIR /opt/portcullis
# The headers are in this image: the binding to HSMs is compiled against them, and nothing else is fetched.
ENV npm_config_nodedir=/usr/local
COPY package.json package-lock.json .npmrc ./
# It is optional for npm, and would be left out in silence.
RUN npm ci --omit=dev && node -e 'require("pkcs11js")'

FROM node:${NODE_SLIM}
WORKDIR /opt/portcullis
ENV NODE_ENV=production
COPY --from=dependencies /opt/portcullis/node_modules node_modules
COPY LICENSE package.json ./
COPY bin bin
COPY src src
RUN ln -s /opt/portcullis/bin/portcullis /usr/local/bin/portcullis
# Nobody: owns no file of the image. By number, so that the kubelet can tell that it is not root.
USER 10001:10001
# For Docker alone; Kubernetes has its probes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:15014/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/portcullis/bin/portcullis"]
CMD ["help"]
