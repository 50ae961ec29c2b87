import { defineConfig } from 'vitepress';

const packages = [
  'core',
  'nn',
  'data',
  'weights',
  'image',
  'zoo',
  'backend-api',
  'backend-js',
  'backend-workers',
  'backend-gpujs',
  'backend-testkit',
];

export default defineConfig({
  title: 'Convoke',
  description: 'Convolutional networks in TypeScript on whatever silicon is at hand',
  lang: 'en',
  srcExclude: ['README.md'],
  cleanUrls: true,
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/start' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [
      {
        text: 'Guide',
        items: [
          { text: 'Start', link: '/start' },
          { text: 'Backends', link: '/backends' },
          { text: 'Tensors and gradients', link: '/tensors' },
          { text: 'Training', link: '/training' },
          { text: 'Networks and weights', link: '/zoo' },
        ],
      },
      {
        text: 'API',
        items: packages.map((name) => ({
          text: `@convoke/${name}`,
          link: `/api/@convoke/${name}/`,
        })),
      },
    ],
    search: { provider: 'local' },
  },
});
