/** An agent's policies in a process that is killed in the middle of its second write, before or after the file has its name. */

import process from "node:process";
import { pino } from "pino";
import { AgentPolicies } from "../../src/app/agent/policy/agent-policies.ts";
import { encodePolicy } from "../../src/edge/rpc/policy-messages.ts";
import { interceptDurable } from "../../src/edge/store/durable.ts";
import { AgentEvents } from "../../src/edge/telemetry/agent-events.ts";
import { policyOf } from "../support/proxy-policies.ts";

const [stateDir = "", moment = ""] = process.argv.slice(2);
setTimeout(() => process.exit(1), 20_000);
let writes = 0;
interceptDurable((_, write) => {
  writes += 1;
  if (writes === 2 && moment === "before") process.kill(process.pid, "SIGKILL");
  const written = write();
  if (writes !== 2 || !(written instanceof Promise)) return written;
  void written.then(() => process.kill(process.pid, "SIGKILL"));
  return written;
});
const policies = await AgentPolicies.open({
  stateDir,
  events: new AgentEvents(pino({ level: "silent" })),
  nowMs: Date.now,
  onChange: () => {},
});
const proxy = { proxyId: "proxy-1", spiffeId: undefined };
const stream = policies.open({
  proxy,
  labels: new Map(),
  hasListeners: true,
  onPolicy: ({ digest }) => stream.acked(digest),
});
for (const mode of ["permissive", "strict"] as const) {
  policies.take([{ ...proxy, octets: encodePolicy(policyOf(mode)) }]);
  while (
    policies
      .known(() => false)
      .here.values()
      .next().value?.proxy.applied === undefined
  ) {
    await new Promise((resolve) => void setImmediate(resolve));
  }
}
