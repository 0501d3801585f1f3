/**
 * `portcullis server` as it is, which writes into a file, a line each, the Unix milliseconds at which a trust state was
 * durable: what is published is measured from there. Beside the data directory: `accepted`.
 *
 * Usage: timed-server.ts server --data-dir DIR FLAGS...
 */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { Store, type NextTrust } from "../src/edge/store/store.ts";

const dataDir = process.argv[process.argv.indexOf("--data-dir") + 1] ?? "";
const replace = Reflect.get(Store.prototype, "replaceTrustState");

Store.prototype.replaceTrustState = function (this: Store, next: NextTrust): void {
  replace.call(this, next);
  appendFileSync(join(dataDir, "..", "accepted"), `${Date.now()}\n`);
};

await import("../src/app/cli/main.ts");
