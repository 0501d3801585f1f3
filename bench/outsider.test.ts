import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { describe, it } from "node:test";
import { findPrograms } from "./load-setup.ts";
import { Outsider } from "./outsider.ts";

const { programs, skip } = await findPrograms();
const ports = 3;
const intervalMs = 10;

/** Stands before the application, and lets connections through or not. */
class Gate implements AsyncDisposable {
  isOpen = true;
  app = "";
  readonly #server: Server = createServer((socket) => this.#take(socket));

  async listen(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take(socket: Socket): void {
    socket.on("error", () => {});
    // As Envoy does where no filter chain matches: when the first octets have come.
    if (!this.isOpen) return void socket.once("data", () => socket.destroy());
    const [host = "", port] = this.app.split(":");
    const app = connect(Number(port), host).on("error", () => socket.destroy());
    socket.pipe(app).pipe(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe("an outsider", { skip, timeout: 30_000 }, () => {
  it("tells when each port has refused a new connection first, and when it was served again", async () => {
    await using owned = new AsyncDisposableStack();
    const gates = Array.from({ length: ports }, () => owned.use(new Gate()));
    const addresses = await Promise.all(gates.map(async (gate) => gate.listen()));
    await using outsider = await Outsider.start(programs.outsider, addresses, intervalMs);
    for (const gate of gates) gate.app = outsider.app;
    assert.equal((await outsider.meets("served")).length, ports);
    const [last, ...others] = gates.toReversed();
    assert(last !== undefined);
    for (const gate of others) gate.isOpen = false;
    const closedMs = Date.now();
    const refused = outsider.meets("refused");
    setTimeout(() => (last.isOpen = false), 100);
    const times = await refused;
    // Two processes read one clock, each in its own steps.
    assert(times.every((each) => each >= closedMs - 2));
    assert((times.at(-1) ?? 0) >= closedMs + 98, "the last port was closed last");
    for (const gate of gates) gate.isOpen = true;
    assert.equal((await outsider.meets("served")).length, ports);
  });

  it("fails where a port does not listen", async () => {
    await using outsider = await Outsider.start(programs.outsider, ["127.0.0.1:1"], intervalMs);
    await assert.rejects(outsider.meets("served"), { code: "load-run-failed" });
  });
});
