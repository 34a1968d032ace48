// An oxlint plugin for habits of this project that oxlint has no rules for. Its test is test/package/lint.test.ts.

import { dirname, relative, resolve, sep } from "node:path";

const noExportAll = {
  create: (context) => ({
    ExportAllDeclaration(node) {
      context.report({ node, message: "Name what is exported: `export *` hides what the package promises." });
    },
  }),
};

const noEnum = {
  create: (context) => ({
    TSEnumDeclaration(node) {
      context.report({ node, message: "Use a union of strings: an enum is code that type stripping cannot remove." });
    },
  }),
};

const indexIsAList = {
  create: (context) => ({
    Program(program) {
      for (const node of program.body) {
        const names = node.type === "ExportNamedDeclaration" && node.declaration == null;
        if (!names) context.report({ node, message: "An index.ts lists named exports and holds nothing else." });
      }
    },
  }),
};

/** Keeps the imports of src going down; the one option is the table: room → the rooms it may import. */
const importDirections = {
  meta: { schema: [{ type: "object" }] },
  create(context) {
    const mayImport = context.options[0];
    const src = resolve(context.cwd, "src");
    const [room, ...rest] = relative(src, context.filename).split(sep);
    const here = rest.length === 0 ? undefined : room;

    function objection(specifier) {
      if (/^perdure($|\/)/.test(specifier))
        return "Inside src import by relative path: the name is for users of the package.";
      if (!specifier.startsWith(".")) return undefined;
      const [to, ...file] = relative(src, resolve(dirname(context.filename), specifier)).split(sep);
      if (to === here) {
        const isOwnIndex = file.length === 1 && file[0] === "index.ts";
        return isOwnIndex ? "Inside a room import the file, not its index.ts." : undefined;
      }
      if (here !== undefined && !(here in mayImport)) return `src/${here} has no row in the table of oxlint.config.ts.`;
      if (here !== undefined && !mayImport[here].includes(to)) {
        return `src/${here} may not import src/${to}: imports go down only, see the table in oxlint.config.ts.`;
      }
      if (file.length !== 1 || file[0] !== "index.ts")
        return `Import src/${to}/index.ts: across rooms only that counts.`;
      return undefined;
    }

    function check(node) {
      const specifier = node.source?.value;
      if (typeof specifier !== "string") return;
      const message = objection(specifier);
      if (message !== undefined) context.report({ node: node.source, message });
    }

    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};

export default {
  meta: { name: "habits" },
  rules: {
    "no-export-all": noExportAll,
    "no-enum": noEnum,
    "index-is-a-list": indexIsAList,
    "import-directions": importDirections,
  },
};
