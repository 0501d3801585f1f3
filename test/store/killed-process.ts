/**
 * A process that makes one durable write, and kills itself right before or after it:
 * `node killed-process.ts NAME before|after DATA_DIR`.
 */

import { interceptDurable } from "../../src/edge/store/durable.ts";
import { scenarios } from "./durable-scenarios.ts";

/** Its own file. */
export const killedProgram: string = import.meta.filename;

async function dieAt(name: string, moment: string, dataDir: string): Promise<void> {
  const scenario = Object.entries(scenarios).find(([each]) => each === name)?.[1];
  if (scenario === undefined) throw new Error(`expected the name of a durable write, got ${name}`);
  const end = (): void => void process.kill(process.pid, "SIGKILL");
  interceptDurable((durable, write) => {
    if (durable !== name) return write();
    if (moment === "before") end();
    const result = write();
    if (result instanceof Promise) void result.then(end);
    else end();
    return result;
  });
  await scenario.write(dataDir);
}

const [, , name = "", moment = "", dataDir = ""] = process.argv;
if (import.meta.main) await dieAt(name, moment, dataDir);
