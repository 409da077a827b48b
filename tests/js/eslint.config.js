// From the root of the repository: eslint -c tests/js/eslint.config.js fgsd/app/web fgsd/evidence tests/js
import globals from "globals";

const rules = {
  "constructor-super": "error",
  eqeqeq: "error",
  "max-len": ["error", 110],
  "max-lines": ["error", 400],
  "no-const-assign": "error",
  "no-dupe-class-members": "error",
  "no-dupe-keys": "error",
  "no-duplicate-imports": "error",
  "no-empty": "error",
  "no-fallthrough": "error",
  "no-implicit-globals": "error",
  "no-redeclare": "error",
  "no-self-assign": "error",
  "no-shadow": "error",
  "no-undef": "error",
  "no-unreachable": "error",
  "no-unused-expressions": ["error", { allowShortCircuit: true, allowTernary: true }],
  "no-unused-private-class-members": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
  "prefer-template": "error",
};
// names of window that are easily taken for a variable that was forgotten
const CONFUSING = [
  "event",
  "name",
  "length",
  "top",
  "parent",
  "status",
  "self",
  "close",
  "closed",
  "open",
  "find",
];

export default [
  { ignores: ["**/node_modules/**"] },
  {
    files: ["fgsd/app/web/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: { ...rules, "no-restricted-globals": ["error", ...CONFUSING] },
  },
  {
    files: ["fgsd/evidence/*.js"], // in the report, a page that is one file
    languageOptions: { ecmaVersion: 2022, sourceType: "script", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules,
  },
  {
    files: ["tests/js/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.nodeBuiltin },
    rules,
  },
];
