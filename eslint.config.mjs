// The linter's rules. Prettier decides what code looks like, so no rule here is about that.
import js from '@eslint/js'
import tseslint from 'typescript-eslint'

const unused = [
  'error',
  { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all', ignoreRestSiblings: true },
]

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'www/dist/',
      'target/',
      '**/node_modules/',
      'fuzz/',
      'pkg-tests/.tmp/',
      'www/public/models/',
      'www/public/ort/',
      'www/tests/.out/',
      'www/shots/.out/',
      '**/*.d.ts',
      '**/*.d.mts',
    ],
  },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': ['error', { destructuring: 'all', ignoreReadBeforeAssign: true }],
      'no-unused-vars': unused,
      // TypeScript knows which names there are, and scripts run in several runtimes.
      'no-undef': 'off',
      // Names and texts may contain control characters, so patterns do, too.
      'no-control-regex': 'off',
      // Tests pass arrays with holes, which must be refused.
      'no-sparse-arrays': 'off',
      // Patterns match sources and texts with their white space.
      'no-regex-spaces': 'off',
      'no-misleading-character-class': 'off',
      // This is allowed: `for (let part; (part = await next()); )`
      'no-cond-assign': 'off',
    },
  },
  {
    files: ['src/ts/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-unused-vars': unused,
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An async function without an await turns what it throws into a rejection. Hosts depend on that.
      '@typescript-eslint/require-await': 'off',
      // Methods of interfaces are passed as functions. None of them uses `this`.
      '@typescript-eslint/unbound-method': 'off',
      // A value that other code threw is thrown again unchanged.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      // Values from outside have the type `any` until they have been checked.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // The core returns numbers, and enums name some of them.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  {
    files: ['pkg-tests/**/*.ts', 'www/**/*.ts', 'tests/**/*.ts'],
    extends: [tseslint.configs.base],
    // This rule does not see that a name is used as a type. tsc reports unused names.
    rules: { 'no-unused-vars': 'off' },
  },
)
