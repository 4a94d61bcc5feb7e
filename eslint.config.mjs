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
      'target/',
      '**/node_modules/',
      'fuzz/',
      'pkg-tests/.tmp/',
      'www/public/models/',
      'www/public/ort/',
      'www/tests/.out/',
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
      // Names and texts may have any character.
      'no-control-regex': 'off',
      // An array with a hole is an input to be refused.
      'no-sparse-arrays': 'off',
      // Sources and texts are matched as they are laid out.
      'no-regex-spaces': 'off',
      'no-misleading-character-class': 'off',
      // `for (let part; (part = await next()); )`
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
      // Methods of interfaces are handed on as functions; none of them uses `this`.
      '@typescript-eslint/unbound-method': 'off',
      // What others threw is thrown again as it is.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      // Values from outside are of any type until they have been checked.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // The core answers with numbers, of which some have a name.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  {
    files: ['pkg-tests/**/*.ts', 'www/**/*.ts', 'tests/**/*.ts'],
    extends: [tseslint.configs.base],
    // tsc sees names that are not used; some are used only as types.
    rules: { 'no-unused-vars': 'off' },
  },
)
