/**
 * The floor under every figure: our listener and gRPC server with handlers that answer a fixed chain, and to each agent the
 * bundle and its reports' acknowledgements, at once. What a call costs beyond this is ours; what this costs is Node's,
 * grpc-js's and OpenSSL's.
 *
 * Usage: floor-server.ts DATA_DIR PORT, of a server that does not run. Prints its address.
 */

import type { ServerDuplexStream } from "@grpc/grpc-js";
import { encodeCertificates } from "../src/core/x509/pem.ts";
import { createCertificateMethod } from "../src/edge/rpc/ca-messages.ts";
import { resolveServerConfig, settingsFromFlags } from "../src/edge/config/server-config.ts";
import { createNetworkServer } from "../src/edge/rpc/grpc-server.ts";
import { encodeBundle } from "../src/edge/rpc/mesh-messages.ts";
import { encodeReportAck } from "../src/edge/rpc/report-ack.ts";
import { methodDefinition, type EncodedMessage } from "../src/edge/rpc/service-definition.ts";
import { TlsListener } from "../src/edge/rpc/tls-listener.ts";
import { Store } from "../src/edge/store/store.ts";
import {
  MeshService,
  type ConnectRequest,
  type ConnectResponse,
} from "../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { issueServingCertificate } from "../test/support/serving.ts";
import { loadTrust } from "../src/app/server/trust.ts";

const [dataDir = "", wantedPort = "0"] = process.argv.slice(2);
const flags = { "data-dir": dataDir, "token-issuer": "none", jwks: "none" };
const config = resolveServerConfig([settingsFromFlags(flags)]);
using store = await Store.open(dataDir, "server");
const trust = await loadTrust(store, config, Date.now());
const serving = issueServingCertificate(trust, ["localhost"], Date.now());

const connect = methodDefinition(MeshService, MeshService.method.connect);
const grpc = createNetworkServer({ requestTimeoutMs: 10_000, endless: [connect.path] });
// A leaf and a root, as in a real reply.
const certChain = [serving.certificateChain, encodeCertificates(serving.clientRoots)];
grpc.addService(
  { createCertificate: createCertificateMethod },
  {
    createCertificate: (_: unknown, reply: (error: null, value: object) => void) =>
      reply(null, { certChain }),
  },
);
grpc.addService(
  { connect },
  {
    connect: (call: ServerDuplexStream<ConnectRequest, ConnectResponse | EncodedMessage>) => {
      call.on("error", () => {});
      call.on("data", ({ message }: ConnectRequest) => {
        if (message.case === "hello") call.write(encodeBundle(trust.bundle));
        if (message.case === "report") call.write(encodeReportAck(message.value.sequence));
      });
    },
  },
);
const listener = new TlsListener(grpc, serving, {
  handshakeTimeoutMs: 10_000,
  connectionsMax: 10_000,
  onRefused: () => {},
});
const { port } = await listener.listen("127.0.0.1", Number(wantedPort));
process.stdout.write(`127.0.0.1:${port}\n`);
