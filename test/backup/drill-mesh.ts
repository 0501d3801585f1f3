/** A control plane of `dev` and agents, as processes; the control plane's directory can be lost. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TokenIssuer } from "../../src/app/dev/token-issuer.ts";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { waitForEndpoints } from "../../src/edge/config/endpoints.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { freePort } from "../support/envoy.ts";
import { PortcullisProcess } from "../support/mesh-process.ts";

export class DrillMesh implements AsyncDisposable {
  readonly dataDir: string;
  readonly #directory: string;
  readonly #address: string;
  readonly #flags: readonly string[];
  readonly #owned = new AsyncDisposableStack();
  #server: PortcullisProcess | undefined;

  private constructor(directory: string, address: string, flags: readonly string[]) {
    this.#directory = directory;
    this.dataDir = join(directory, "dev");
    this.#address = address;
    this.#flags = flags;
  }

  /** @param flags of `dev` */
  static async create(directory: string, flags: readonly string[]): Promise<DrillMesh> {
    return new DrillMesh(directory, `127.0.0.1:${await freePort()}`, flags);
  }

  get server(): PortcullisProcess {
    if (this.#server === undefined) throw new TypeError("expected a server that was started");
    return this.#server;
  }

  /** Again on the same directory and address after a kill. Resolves when it is ready. */
  async startServer(): Promise<void> {
    const listen = ["--listen", this.#address, "--metrics-listen", "127.0.0.1:0"];
    const args = ["dev", "--data-dir", this.dataDir, "--default-ttl", "600s", ...listen];
    const logPath = join(this.#directory, "server.log");
    this.#server = await PortcullisProcess.start([...args, ...this.#flags], logPath);
    this.#owned.use(this.#server);
    await waitForEndpoints(this.dataDir, {
      timeoutMs: 10_000,
      signal: AbortSignal.timeout(10_000),
    });
  }

  async startAgent(name: string): Promise<PortcullisProcess> {
    const directory = join(this.#directory, name);
    mkdirSync(directory, { mode: 0o700 });
    const tokenFile = join(directory, "token");
    writeFileSync(tokenFile, await this.#mint(name), { mode: 0o600 });
    const rootFile = join(directory, "root.pem");
    writeFileSync(rootFile, this.#root());
    const server = ["--server", this.#address, "--server-root", rootFile];
    const own = ["--token-file", tokenFile, "--state-dir", join(directory, "state")];
    const args = ["agent", ...server, ...own, "--sds-socket", join(directory, "sds.sock")];
    const agent = await PortcullisProcess.start(args, join(directory, "agent.log"));
    return this.#owned.use(agent);
  }

  /** The note of the checkpoint that an agent holds. */
  heldBy(name: string): string {
    const file = join(this.#directory, name, "state", "witness.json");
    return String(JSON.parse(readFileSync(file, "utf8")).note);
  }

  /** For an identity that nobody has. */
  async issue(name: string): Promise<void> {
    const { csrPem } = await createCsr();
    const request = {
      server: this.#address,
      serverRoots: this.#root(),
      token: await this.#mint(name),
      csrPem,
      ttlSeconds: 0,
      timeoutMs: 5_000,
    };
    await requestCertificate(request, AbortSignal.timeout(5_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  #root(): Uint8Array {
    return readFileSync(join(this.dataDir, "root-cert.pem"));
  }

  async #mint(serviceAccount: string): Promise<string> {
    const issuer = await TokenIssuer.openExisting(this.dataDir);
    return await issuer.mintToken({
      namespace: "shop",
      serviceAccount,
      audiences: ["istio-ca"],
      ttlSeconds: 600,
      nowMs: Date.now(),
    });
  }
}
