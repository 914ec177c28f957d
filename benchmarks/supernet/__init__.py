"""Fashion-MNIST by shared weights: what they tell, and what searches make of them."""
