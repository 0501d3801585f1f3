/**
 * Loaded before anything else, in every thread of a server: once the file that `PORTCULLIS_TEST_ARMED` names is there, each
 * durable write adds its name to `FILE.seen`, and the one whose number or name stands in the file (`before:3`, `after:trust-replace`) ends
 * the process.
 */

import { appendFileSync, readFileSync } from "node:fs";
import { interceptDurable } from "../../src/edge/store/durable.ts";

const file = process.env["PORTCULLIS_TEST_ARMED"] ?? "";

if (file !== "") {
  interceptDurable((name, write) => {
    const order = readOrder();
    if (order === undefined) return write();
    const [moment, which] = order.split(":");
    const isHere = tell(name) === Number(which) || name === which;
    const end = (): void => void process.kill(process.pid, "SIGKILL");
    if (isHere && moment === "before") end();
    const result = write();
    if (!isHere) return result;
    if (result instanceof Promise) void result.then(end);
    else end();
    return result;
  });
}

/** The test takes the files away whenever it likes. */
function readOrder(): string | undefined {
  return readIfThere(file);
}

/** @returns how many there were since it was armed, of all threads */
function tell(name: string): number {
  appendFileSync(`${file}.seen`, `${name}\n`);
  return (readIfThere(`${file}.seen`) ?? "").split("\n").length - 1;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
