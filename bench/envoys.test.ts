import assert from "node:assert/strict";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { secretTypeUrl } from "../src/core/envoy/secret.ts";
import { createLocalServer } from "../src/edge/rpc/grpc-server.ts";
import { addService } from "../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../src/edge/rpc/unix-listener.ts";
import { SecretSchema } from "../src/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import {
  DiscoveryResponseSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from "../src/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../src/gen/envoy/service/secret/v3/sds_pb.ts";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { Envoys } from "./envoys.ts";
import { findPrograms } from "./load-setup.ts";

type Call = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

const tokens = ["one", "two", "three"];
const { programs, skip } = await findPrograms();

/** Serves secrets to whoever comes, and remembers what it was sent. */
class StubAgent implements Disposable {
  readonly calls: Call[] = [];
  readonly requests: { readonly token: string; readonly request: DiscoveryRequest }[] = [];
  roots = "roots 1";
  /** Streams of roots that get none. */
  withheld = 0;
  readonly socket: string;
  readonly tokensFile: string;
  readonly #owned = new DisposableStack();

  constructor() {
    const { path } = this.#owned.use(temporaryDirectory());
    this.socket = join(path, "sds.sock");
    this.tokensFile = join(path, "tokens");
    writeFileSync(this.tokensFile, `${tokens.join("\n")}\n`);
  }

  async listen(): Promise<void> {
    const grpc = createLocalServer();
    addService(grpc, SecretDiscoveryService, { streamSecrets: (call: Call) => this.#take(call) });
    this.#owned.use(await listenOnUnixSocket(grpc, this.socket, 0o600));
  }

  push(roots: string): void {
    this.roots = roots;
    for (const call of this.calls) this.#send(call, "ROOTCA");
  }

  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  #take(call: Call): void {
    call.on("error", () => {});
    call.on("data", (request: DiscoveryRequest) => {
      const token = String(call.metadata.get("authorization")[0]);
      this.requests.push({ token, request });
      const [name = ""] = request.resourceNames;
      if (request.responseNonce !== "") return;
      if (name === "ROOTCA" && this.withheld-- > 0) return;
      if (name === "ROOTCA") this.calls.push(call);
      this.#send(call, name);
    });
  }

  #send(call: Call, name: string): void {
    const inline = (text: string) => {
      return {
        specifier: { case: "inlineBytes" as const, value: Uint8Array.from(Buffer.from(text)) },
      };
    };
    const type: MessageInitShape<typeof SecretSchema>["type"] =
      name === "ROOTCA"
        ? { case: "validationContext", value: { trustedCa: inline(this.roots) } }
        : { case: "tlsCertificate", value: { certificateChain: inline("leaf") } };
    const value = toBinary(SecretSchema, create(SecretSchema, { name, type }));
    const answer = { typeUrl: secretTypeUrl, versionInfo: "v", nonce: `nonce of ${name}` };
    const resources = [{ typeUrl: secretTypeUrl, value }];
    call.write(create(DiscoveryResponseSchema, { ...answer, resources }));
  }
}

const digest = (roots: string): string => createHash("sha256").update(roots).digest("hex");

describe("the Envoys of a bench", { skip, timeout: 30_000 }, () => {
  it("come with their tokens, acknowledge everything, and say when the last has", async () => {
    using agent = new StubAgent();
    await agent.listen();
    const startedAtMs = Date.now();
    await using envoys = new Envoys(programs.sds, agent.socket, agent.tokensFile);
    await envoys.heldAtMs("", 5_000);
    const firstMs = await envoys.heldAtMs(digest("roots 1"), 5_000);
    // Two processes read one clock, each in its own steps.
    assert.ok(firstMs >= startedAtMs - 2 && firstMs <= Date.now() + 2, `${firstMs}`);
    agent.push("roots 2");
    assert.ok((await envoys.heldAtMs(digest("roots 2"), 5_000)) >= firstMs);

    const firsts = agent.requests.filter(({ request }) => request.responseNonce === "");
    assert.equal(firsts.length, 2 * tokens.length);
    assert.deepEqual(
      new Set(firsts.map(({ token, request }) => `${token} ${request.node?.id}`)),
      new Set(tokens.map((token, index) => `Bearer ${token} envoy-${index}`)),
    );
    for (const { request } of agent.requests.filter((each) => !firsts.includes(each))) {
      const [name = ""] = request.resourceNames;
      assert.equal(request.responseNonce, `nonce of ${name}`);
      assert.equal(request.versionInfo, "v");
      assert.equal(request.typeUrl, secretTypeUrl);
    }
  });

  it("are not done before the last of them has it", async () => {
    using agent = new StubAgent();
    agent.withheld = 1;
    await agent.listen();
    await using envoys = new Envoys(programs.sds, agent.socket, agent.tokensFile);
    await envoys.heldAtMs("", 5_000);
    const code = "load-run-failed";
    await assert.rejects(envoys.heldAtMs(digest("roots 1"), 300), { code });
  });

  it("fail when one of their streams ends", async () => {
    using agent = new StubAgent();
    await agent.listen();
    await using envoys = new Envoys(programs.sds, agent.socket, agent.tokensFile);
    await envoys.heldAtMs(digest("roots 1"), 5_000);
    const [call] = agent.calls;
    call?.emit("error", { code: 16, details: "token expired" });
    await assert.rejects(envoys.heldAtMs("never", 5_000), { code: "load-run-failed" });
  });
});
