/**
 * The floor under every figure: our listener and gRPC server with a handler that answers a fixed chain at once. What a
 * certificate costs beyond this is ours; what this costs is Node's, grpc-js's and OpenSSL's.
 *
 * Usage: floor-server.ts DATA_DIR, of a server that does not run. Prints its address.
 */

import { createCertificateMethod } from "../src/edge/rpc/ca-messages.ts";
import { resolveServerConfig, settingsFromFlags } from "../src/edge/config/server-config.ts";
import { createNetworkServer } from "../src/edge/rpc/grpc-server.ts";
import { TlsListener } from "../src/edge/rpc/tls-listener.ts";
import { Store } from "../src/edge/store/store.ts";
import { issueServingCertificate } from "../test/support/serving.ts";
import { loadTrust } from "../src/app/server/trust.ts";

const [dataDir = ""] = process.argv.slice(2);
const flags = { "data-dir": dataDir, "token-issuer": "none", jwks: "none" };
const config = resolveServerConfig([settingsFromFlags(flags)]);
using store = await Store.open(dataDir, "server");
const trust = await loadTrust(store, config, Date.now());
const serving = issueServingCertificate(trust, ["localhost"], Date.now());

const grpc = createNetworkServer({ requestTimeoutMs: 10_000, endless: [] });
// A leaf and a root, as in a real reply.
const certChain = [serving.certificateChain, serving.clientRoots];
grpc.addService(
  { createCertificate: createCertificateMethod },
  {
    createCertificate: (_: unknown, reply: (error: null, value: object) => void) =>
      reply(null, { certChain }),
  },
);
const listener = new TlsListener(grpc, serving, {
  handshakeTimeoutMs: 10_000,
  connectionsMax: 1_000,
  onRefused: () => {},
});
const { port } = await listener.listen("127.0.0.1", 0);
process.stdout.write(`127.0.0.1:${port}\n`);
