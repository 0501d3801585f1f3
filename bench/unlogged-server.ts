/**
 * `portcullis server` as it is, but for its transparency log, which takes everything at once and keeps nothing: what the
 * log costs is the difference. Only a bench has that; a server has no switch for it.
 *
 * Usage: unlogged-server.ts server FLAGS...
 */

import { LogWriter } from "../src/edge/log/log-writer.ts";

LogWriter.prototype.append = () => Promise.resolve({ firstIndex: 0 });

await import("../src/app/cli/main.ts");
