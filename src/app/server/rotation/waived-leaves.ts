/** Certificates that are waived, by where they stand in the log: a gate knows them by nothing else. */

import { laggardName } from "../../../core/roll/laggard-name.ts";
import type { CertificateIndex } from "../../../edge/log/certificate-index.ts";

const prefix = laggardName("certificate", "", "");

export class WaivedLeaves {
  readonly #certificates: Pick<CertificateIndex, "bySerial">;
  /** By name; -1 for what the log does not know. */
  #known = new Map<string, number>();

  constructor(certificates: Pick<CertificateIndex, "bySerial">) {
    this.#certificates = certificates;
  }

  /** @param waived names, as laggards have them. @returns indexes of intents */
  indexesOf(waived: ReadonlySet<string>): ReadonlySet<number> {
    const known = this.#known;
    this.#known = new Map();
    for (const name of waived) {
      if (name.startsWith(prefix)) this.#known.set(name, known.get(name) ?? this.#find(name));
    }
    return new Set(this.#known.values());
  }

  #find(name: string): number {
    const serial = Buffer.from(name.slice(prefix.length), "hex");
    return this.#certificates.bySerial(serial)?.intentIndex ?? -1;
  }
}
