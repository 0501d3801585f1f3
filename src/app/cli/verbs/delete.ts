/** `portcullis delete` */

import type { ResourceRef } from "../../../core/resources/resource.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { changeFlags, runChange } from "../resource-change.ts";
import { requireObjects } from "../no-objects.ts";
import { filenameFlag, loadResourceFiles } from "../resource-files.ts";
import { parseKind } from "../resource-kind.ts";
import { UsageError } from "../usage-error.ts";

export const deleteVerb: Command = defineCommand({
  description:
    "Takes objects out of a server's configuration: one by its name, or all that files name. All of them, or " +
    "none. One of the server's directory (--resources) is deleted there only.\n\n" +
    "What is weaker than it looks without them is a warning on stderr.",
  flags: {
    namespace: {
      type: "string",
      short: "n",
      valueName: "NAMESPACE",
      help: "of the object",
      default: "default",
    },
    ...filenameFlag,
    ...changeFlags,
  },
  positionals: [
    { name: "KIND", help: "such as peerauthentication, or pa", optional: true },
    { name: "NAME", help: "of the object", optional: true },
  ],
  examples: [
    {
      what: "One object",
      command: "portcullis delete peerauthentication default -n payments",
    },
    { what: "What files name", command: "portcullis delete -f policies/" },
  ],
  async run(context, flags, [kind, name]) {
    const remove =
      kind === undefined
        ? await namedByFiles(flags.filename, context)
        : [namedByWords(kind, name, flags)];
    await runChange(context, flags, { apply: [], remove });
    return ExitCode.ok;
  },
});

function namedByWords(
  kind: string,
  name: string | undefined,
  { namespace, filename }: { readonly namespace: string; readonly filename: readonly string[] },
): ResourceRef {
  const hint = "portcullis delete KIND NAME -n NAMESPACE, or portcullis delete -f FILE";
  if (name === undefined) throw new UsageError("usage-missing-argument", "expected NAME", { hint });
  if (filename.length > 0) {
    const message = "expected KIND and NAME, or --filename, got both";
    throw new UsageError("usage-unexpected-argument", message, { hint });
  }
  return { kind: parseKind(kind), namespace, name };
}

async function namedByFiles(
  filename: readonly string[],
  context: Context,
): Promise<readonly ResourceRef[]> {
  if (filename.length === 0) {
    const hint = "portcullis delete KIND NAME -n NAMESPACE, or portcullis delete -f FILE";
    throw new UsageError("usage-missing-argument", "expected KIND and NAME, or --filename", {
      hint,
    });
  }
  const { objects } = await loadResourceFiles(filename, context);
  requireObjects(filename, objects);
  return objects.map(({ object }) => object.object.ref);
}
