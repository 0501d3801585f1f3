/** For `node --import`: the mutation that SIM_MUTATION names is applied to its file while that is loaded. */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { flipMutations } from "../flip/mutations.ts";
import { policyMutations } from "../policy/mutations.ts";
import { mutations } from "./mutations.ts";
import { mutated } from "./patch.ts";

const name = process.env["SIM_MUTATION"];
const mutation = [...mutations, ...policyMutations, ...flipMutations].find(
  (each) => each.name === name,
);
if (mutation === undefined) throw new Error(`expected the name of a mutation, got ${name}`);
const path = join(import.meta.dirname, "..", "..", mutation.file);
const url = pathToFileURL(path).href;

registerHooks({
  load(each, context, nextLoad) {
    const loaded = nextLoad(each, context);
    if (each !== url) return loaded;
    return { ...loaded, source: mutated(mutation, readFileSync(path, "utf8")) };
  },
});
