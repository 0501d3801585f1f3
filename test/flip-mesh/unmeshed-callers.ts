/** Who calls the target past any proxy, before it is flipped: all that a mesh has of them. */

import { setTimeout as sleep } from "node:timers/promises";
import { entry, clientSidecar, apis, legacy, moverNextAddress } from "./manifests.ts";
import type { FlipMesh } from "./flip-mesh.ts";
import { ownTlsCall, plaintextCall, Repeated } from "./unmeshed-calls.ts";

const [first, second] = apis.map(({ address }) => address);
/** Of who calls once a minute where the look-back is days: here it is less than a minute. */
const seldomMs = 15_000;

export class UnmeshedCallers implements AsyncDisposable {
  readonly #mesh: FlipMesh;
  readonly #all = new AsyncDisposableStack();
  readonly #mover: Repeated;
  readonly #calls: Repeated[] = [];

  constructor(mesh: FlipMesh) {
    this.#mesh = mesh;
    const { http, tcp } = mesh.ports;
    const [one = "", other = ""] = [first, second];
    const plain =
      (localAddress: string, address = one, agent?: string) =>
      () =>
        plaintextCall({ localAddress, address, port: http }, agent);
    const { cron, ledger, report, mover } = legacy;
    this.#mover = new Repeated(300, plain(mover.address));
    const repeated = [
      new Repeated(300, plain(cron.address)),
      new Repeated(300, () =>
        ownTlsCall({ localAddress: ledger.address, address: other, port: tcp }),
      ),
      new Repeated(seldomMs, plain(report.address, other), 5_000),
      // From its own host.
      new Repeated(1_000, plain(one, one, "kube-probe/1.31")),
      this.#mover,
    ];
    for (const each of repeated) this.#calls.push(this.#all.use(each));
  }

  /** One of them gets another address, and goes on from there; who has the old one then calls nobody. */
  async changeAddress(): Promise<void> {
    const { mover } = legacy;
    await this.#mover.stop();
    await this.#mesh.apply([entry({ ...mover, address: moverNextAddress }, mover.name)]);
    // Whoever had it less than two seconds after the last call may have been the caller, if clocks differ.
    await sleep(3_000);
    await this.#mesh.apply([entry({ ...mover, name: "heir" }, "heir")]);
    const from = { localAddress: moverNextAddress, address: first ?? "" };
    const call = { ...from, port: this.#mesh.ports.http };
    this.#calls.push(this.#all.use(new Repeated(300, () => plaintextCall(call))));
  }

  /** They stop, and all but the probe get a proxy of their own. */
  async move(): Promise<void> {
    await this[Symbol.asyncDispose]();
    const { cron, ledger, report, mover } = legacy;
    const moved = [cron, ledger, report, { ...mover, address: moverNextAddress }];
    await this.#mesh.apply(moved.map((each) => clientSidecar(each, each.name, this.#mesh.ports)));
    await Promise.all(moved.map((each) => this.#mesh.join(each, each.name, "node")));
  }

  /** Whether each has called, and had an answer each time. */
  get areServed(): boolean {
    return this.#calls.every(({ answered, failed }) => answered > 0 && failed === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#all.disposeAsync();
  }
}
